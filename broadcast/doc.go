// Package broadcast sends a message to many sessions at once: to the members of a [Group], or of a room
// of a [Hub].
//
//	room := broadcast.NewGroup(broadcast.Options{})
//	for s := range listener.AcceptChan() {
//		room.Add(s) // it leaves by itself when it has closed
//		…
//	}
//	room.Send([]byte("to all"))
//
// # What can be relied on
//
//   - Order. Two messages of one group reach all its members in the same order, whoever sent them. A
//     member leaves some out only where Slow says so, and its [Options] tell. What is sent to a session
//     by other ways, or by other groups, has no order to them.
//   - Send does not wait for any member, whatever that does or does not: it queues the message for each
//     within the session's WriteBuffer. One for which there is no room is slow, and Slow says what
//     becomes of it. So let WriteBuffer hold what is sent in a burst: by default it is 128 messages.
//   - Every member counts once: the sum of a [Result] is the number of members at that moment.
//   - Members that have no connection at the moment stay, and get what their WriteBuffer holds when they
//     are back. A session with Resume gets all of it, once.
//   - The payload is copied once: it may be used again when Send has returned, and the payload of an
//     event may be sent. No receiver has memory that another one has.
//
// # What it costs
//
// A message is framed and copied once, for each Codec among the members. Up to 512 bytes are then copied into the buffer of each session,
// which takes less time than to refer to them; of a larger message all members share one copy, which
// counts towards the WriteBuffer of each. So the memory of a group is bounded by what its members'
// WriteBuffers hold, and large messages count once. TLS encrypts for each connection, and copies. While
// Inline callbacks of a member run on its event loop, which writes when they are done, some thousand small
// messages may wait for it beyond Cap.
//
// Send queues: some 200 ns a member, in the goroutine that calls it. Writing is done by as many
// goroutines as there are processors, for all rooms of a Hub the same ones, which exist while there is
// something to write. Messages that are sent soon one after the other are written together. What a
// connection does not take at once is written by a goroutine of its own, as with Session.Send: that is one
// for each member that has fallen behind, and for each that does not live on an event loop, as with TLS.
//
// # Lossy write buffers
//
// A session with a Sliding or Dropping WriteBuffer always has room: it drops by its own rule and is
// never slow. What it drops, it counts in its Stats.
//
// # Concurrency
//
// All methods may be called by many goroutines, and from callbacks, also of members: with Inline, a
// callback that sends to a group of which its session is a member holds its event loop up for the time
// it takes to queue the message, and what OnSlow takes.
//
// A group's lock is held while a message is queued for all members, and in Add, Remove and the end of a
// member. Locks of sessions are taken while it is held, never the other way round; no function of the
// user's is called, and nothing is written, while any is held. A Hub's own lock is held for a look into
// its table only.
package broadcast
