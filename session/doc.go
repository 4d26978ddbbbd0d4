// Package session is the heart of the library: a session outlives its connections, queues messages
// in both directions, keeps time, and tells its user what happens as events. It sees a connection
// as a [Link] and the engine around it as a [Host]. It knows neither gnet nor how to dial.
//
// Users meet [Session], [Event], [Buffer], [Stats], [Totals] and their kinds under the names of the
// root package, as netasync.Session. The other exported names, such as [Conn], [Driver] and [Link],
// are for other packages of the library, and may change.
//
// # Where to look
//
// A session is some facts, [Session] and the embedded life, and one object for each connection,
// [Conn]. What happens next is a pure function of the facts, life.next in life.go. All its answers
// are in testdata/next.golden, and a test explores all orders of all events. What is done about an
// answer is in settle.go; close.go, conn.go, dial.go and answers.go change the facts. wait.go, flush.go
// and ends.go tell users of them.
//
// A message comes in by feed.go, waits in inbox.go and queue.go, and goes on to one of three
// consumers: recv.go, with iterate.go and lend.go, readchan.go or callback.go; with Inline it goes
// straight to inline.go. What a message costs before it is complete, in time and in memory, is bounded
// by pace.go and assembly.go.
//
// A message goes out by send.go, past the bound by passing.go, by sendbatch.go or by writechan.go,
// waits in outbox.go and frames.go, and is written by write.go. What goes before it on each connection
// is in hello.go, and what happens to it while there is none, unless it waits, in whiledown.go.
//
// What package broadcast sees of a session is a Member, in member.go; share.go has the messages that many
// sessions have in common, and what is replaced of them. Where a frame is, copied or by reference, is in size.go.
//
// A session with Resume goes on, once and in order, over several connections. What it keeps of its
// messages until the peer has them is in kept.go and rows.go; resume.go begins and ends its connections, and claim.go
// lets an accepted one be taken for a new one. What the two ends say to each other beside messages
// comes in by acks.go and goes out by control.go; search.go finds it behind messages that nobody reads.
// The frames themselves, and what a listener makes of a Hello, are in package internal/resume.
//
// Package call has requests and replies on a session, and needs to know which message is which, and which
// of them a former peer may have: calls.go.
//
// Time is kept by liveness.go, which asks whether the peer lives, rhythm.go, how often it speaks, and
// stall.go, whether it takes anything. What an operator is told is noted by chronicle.go, and told by
// journal.go; totals.go adds up what happened to many sessions, and history.go keeps what happened last.
//
// # Concurrency
//
// Lock order. A lock may be taken while one further up is held, never the other way round:
//
//	group         that of package broadcast: its members, and the order of what is sent to them
//	Session.mu    the facts, the outbound queue, the cork, the turn of callbacks
//	receiver.mu   the batch that Recv hands out
//	inbox.mu      the inbound queue, Conn.held and what belongs to it, which consumer is at work
//	leaves        Registry.mu, History.mu, Assembly.mu, those of Session.Context and what was derived from it,
//	              and all locks of Host, Ticker and Redialer
//
// Session.mu is never held while a consumer, a link or the user is waited for. What is called with
// it held: Host.Dispatch, Host.Tick, Ticker.Stop and Redialer.Redial, which do not block and do not
// call back; Redialer.Kick, sometimes. What is called without a lock: all methods of [Link],
// Redialer.Stop, Host.Forget, Ticker.Sooner, Broadcaster.Ended, OnEvent and the logger.
//
// Releasing. Session.settle is the only function that releases the lock for its caller. It is
// called after every change of a fact from which something may follow: Close, CloseNow, the end of
// Linger, attach, the first word of a trial, a lost connection, the answers to a peer that has
// finished, an acknowledgement, a Claim, the end of a window, the pump of the write channel, and the
// return of the right to write. Nothing but writing follows from a queued message, see queuedBy, and
// nothing from the report of a dialer. It repeats life.next until that has no more to say, and does under the lock
// what others must not come between: it queues the event, rewinds the outbound queue and dispatches
// or dials, so that the next to take the lock finds that under way. After the lock is released it
// closes links and forgets the session.
//
// Telling. What a logger is to be told is noted under the lock, by note, and told by tell without
// one, in order. What is noted comes before the end of the session: Host.Forget is left to tell if that
// is still at work when all others know of the end, also groups, see leave.
//
// Writing. One goroutine at a time has the right to write: life.writing. It is taken by
// takeWriting, queuedBy or settle, and given back by flush or finish, which settle. The holder owns
// the outbound queue's inflight part while it writes without the lock. A turn of callbacks on an
// event loop holds the right to the end, unless another goroutine waits for room: yieldTurn passes
// it on to a goroutine that writes. So a callback may wait for one that waits for room. Where there is
// a Hello, begin takes the right for sayHello, under the lock that makes the session connected: so
// nothing goes before the first words. A connection that is lost meanwhile is settled when the writer
// has returned: only then is known what was sent.
//
// Sharing. Member.TryShare queues and never writes, as its caller holds the group's lock. It tells the
// caller if somebody has to call Write, which it says once until Write has begun: outbox.owed. Until
// then nobody has the right to write for that, so a Send meanwhile writes all, and Write finds nothing.
// Write clears owed before it looks whether anything is queued: what is queued later is owed anew. A
// session that ends meanwhile has what is queued written by settle, as what is corked. Nothing that ends a
// session is called with the group's lock held: Broadcaster.Ended takes it. Join and the end of a session
// are ordered by Session.mu: a member that has joined is told of the end, behind Join's caller, which
// holds the group's lock.
//
// Late. What a connection does when it is over has no effect: outbound and for its end Session.conn
// is another one, inbound inbox.conn is. A turn of Inline callbacks that has begun goes on to the
// end of what was read; the events of the end come behind it. With Resume it ends with the callback
// that is running, see Counting.
//
// Counting. A session with Resume tells its peer how many messages it has received, and the peer
// sends all others again: so a message must be counted exactly if it reaches the user. acks.taken
// counts it as it is queued, under inbox.mu and while inbox.conn is the connection, or right before its
// Inline callback. Its top bit ends the counting, by detach: who counts behind that takes it back,
// and has no callback. So the number that detach finds is final, though a callback may run on, and
// block: it is not waited for. Outbound a message has its number when the holder of the right to
// write takes it out of pending, under Session.mu, which copies it into outbox.kept. How many of those
// the link has begun to take is known when the writer has returned, as with all that is told of a loss.
//
// Claims. A newer connection of an accepted session's peer takes the session over: Claim, in a
// goroutine of the engine, detaches the current connection, and waits until settle has told the outage;
// its channel is fetched under Session.mu and closed under it, by tellOutage and refuse, and by a later
// Claim. From then until Attach the session is connecting, and nothing changes what was told to the peer.
// Which Claim counts is decided by resumption.number alone, also in Attach and Unclaim. The end of the
// window, Expire, has no effect unless the session is disconnected: so either it or a Claim is first.
//
// Wake-ups. A signal is guarded by the lock of its condition. A wake-up that its receiver cannot
// use is passed on: see Send, Recv and inbox.wait. A callback that waits for room may come to pass the
// bound, which those that get the wake-ups for room do not see: Conn.passes is closed for it, by write when
// the connection breaks, and by search when a window is full. Each flush ends with that search.
//
// WaitConnected and Flush wait for a channel that is closed, which wakes all that wait and cannot be
// missed: it is fetched under Session.mu, after the condition was found false, and closed under
// Session.mu where that becomes true, by begin and close, or by what takes messages out of the
// outbox: sent, the drops, clear. A connection that was over before a waiter looked again shows by
// its epoch. Nothing is paid for while nobody waits. What WriteChan still holds a Flush has its pump
// queue first: the pump takes the question when it has nothing in hand, so what was sent to the
// channel before is in the channel then, or queued; if it has ended, it will take no more.
//
// Loops. A loop over Events takes a batch away from the receiver, which counts it, and looks at it
// without a lock. It gives back what is left at every end of its body, also that of a panic: under
// receiver.mu, which also wakes one that waits in Recv. Batches are numbered as they are fetched, and
// wait in that order. ReadChan, called meanwhile, makes an outlet that counts as pumping, so that
// nothing goes past what is lent; the loop that gives back the last batch starts it. A loop that has
// a batch sees that before its next event, by receiver.changes; one that has none waits in await,
// which ReadChan wakes.
//
// Unfinished frames. A reader notes in atomics of its Conn how far its frame has come, and what it
// holds; no lock is needed, but once for a connection's first frame of several reads. A reader that
// passes the limit of the Assembly asks by adding to asked: the first to ask starts relieve, which
// ends when nobody has asked since its last round began. So no asking is lost, and what the last
// round did not see asks anew. relieve collects under Assembly.mu and ends connections without it,
// as Tick does. That a frame is to end is decided by exchanging Conn.share for condemned: the reader
// changes it by compare and swap, so its memory is taken off the sum once, by one of the two.
//
// Goroutines. None exists for an idle session without a write channel. There are seven kinds:
//
//   - flush writes to a link and finish ends its writing. They end when nothing is queued, or the
//     link has ended; the session does not close before.
//   - sayHello asks for the first words of a connection and writes them. The session does not close
//     before Hello has returned.
//   - pumpWrites moves messages from WriteChan to the queue, from the first call of WriteChan until
//     the session ends or the user closes the channel.
//   - pump moves events that found no room to ReadChan, while there are any and the session has
//     not closed.
//   - runCallbacks runs on the host's pool, while there are events.
//   - relieve runs while unfinished frames take more memory than the Assembly allows: one for all.
//   - tell tells a logger, while there are lines. Host.Forget comes behind it.
//
// Those that call Member.Write belong to package broadcast, and end when nothing is owed.
//
// Timers call corkEnds and lingerEnds, and one wakes the pump of a write channel while the write
// buffer is full. After Closed none of this is left, but for tell. Channels that the user still has
// are served by package internal/weakchan, which has timers and no goroutines, so that a session may
// live, and be dropped, inside a bubble of testing/synctest.
package session
