// Package netasynctest tests programs that use netasync: a network in memory whose links can be cut,
// delayed and silenced, the same faults for real sockets, and expectations about events. It imports
// testing, so import it in tests alone.
//
// [Pair] is two sessions that talk to each other. [NewNetwork] is for programs: code that takes a
// *netasync.Engine runs as it is on an engine of the network's, and reaches others by their names:
//
//	n := netasynctest.NewNetwork(t)
//	go serve(n.Engine("server", netasync.EngineOptions{}))                    // listens on :8899
//	s := newClient(n.Engine("client", netasync.EngineOptions{}), "server:8899")
//	netasynctest.Expect(t, s, netasynctest.IsConnected)
//	n.Link("client", "server").Cut(nil)
//	netasynctest.Expect(t, s, netasynctest.IsDisconnected(nil), netasynctest.IsConnected)
//
// # Fake time
//
// A server that vanishes sends nothing, not even an end: a client finds out by silence, after 20 s with
// the default options, and a test of that would take as long. Inside a bubble of [testing/synctest] it
// takes a millisecond, as time there goes on by itself when all goroutines wait, and it is exact: what
// takes 20 s takes 20 s, to the nanosecond, on a busy machine, too. See the example.
//
// This is why there is a network in memory. A goroutine that waits for a real socket does not count as
// waiting, so a bubble's clock stands still beside one. All of a Network may be used in a bubble, with
// sessions used in every way; make both inside. When the test is over the engines end by themselves,
// with sessions that nobody has read or closed, and the goroutines that wait for those. What remains
// to be done is what always is: a goroutine of the test's own that waits for something else must end,
// or synctest reports a deadlock.
//
//   - After an action, [synctest.Wait] waits until all that follows from it has happened, if it takes
//     no time. A message may take some: a session may wait up to 200 µs for more to write with it.
//     Say it before a fault that is to hit something exactly: a session is connected before
//     the greeting of the other end has arrived, and that counts for Link.CutAfter.
//   - A bubble begins in the year 2000: issue certificates inside it, or set TLS.Time.
//   - A gnet server with netasync.NewHandler waits for real sockets: it cannot be tested in a bubble.
//
// Outside of a bubble all of this works as well, in real time.
//
// # Why not net.Pipe
//
// The connections are those of TCP, and not those of [net.Pipe]. Pipe has no buffer: a write waits
// until the peer reads, so two ends that both write first wait for ever, as a session does that
// greets a session. It cannot half-close, it tells the end of a connection in another way than a
// socket does, and it can neither be reset nor be half open. Here a connection holds 64 KiB in each
// direction, has deadlines, CloseWrite, io.EOF and syscall.ECONNRESET, and copies what is written.
//
// What differs from TCP on purpose: one end that closes does not reset the connection where it has
// not read everything, so the last words always arrive. Reading gives what has arrived before a reset
// of CutAfter, as that is to be exact. Addresses are of type [Addr], so MaxSessionsPerAddr, which counts
// IP addresses, does not count them. No kernel tells a session that its peer's host is dead while its
// own user does not read. Connections are served off the event loops.
//
// # Real sockets
//
// [NewProxy] stands between a client and a server that are programs of their own, or one of which is
// not yours, and does to their TCP connections what a Link does.
package netasynctest
