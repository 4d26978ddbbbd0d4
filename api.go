// Package netasync gives Go programs message channels over TCP that stay valid while the network
// comes and goes.
//
// An [Engine] connects and listens. What it returns are sessions: a [Session] sends and receives
// messages, not streams. A dialed session connects again by itself whenever its connection is lost;
// an accepted one ends with its connection. Heartbeats find connections that are stuck. What
// happens to the network is told by events: nothing panics, and no error is thrown into the middle
// of a conversation.
//
//	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
//	s, _ := engine.Connect("127.0.0.1:8899", netasync.ConnectOptions{})
//	s.WriteChan() <- []byte("hello")
//	for ev := range s.ReadChan() {
//		if ev.Kind == netasync.Message { … }
//	}
//
// # The main methods
//
// These are enough for most programs. The comment on each type below lists all that it has:
// [Session], [Engine], [Listener] and [Handler] their methods, [ConnectOptions], [ListenOptions]
// and [EngineOptions] their fields.
//
//   - To begin: [NewEngine], [engine.Engine.Connect], [engine.Engine.Listen]. A server takes its
//     sessions from [engine.Listener.AcceptChan]. [engine.Engine.Serve] is for listeners of one's own.
//   - To send: [session.Session.WriteChan], [session.Session.Send], [session.Session.SendBatch], and
//     [session.Session.TrySend], which does not wait. To many at once: package
//     [github.com/netasync/netasync/broadcast].
//   - To ask, and have replies: package [github.com/netasync/netasync/call].
//   - To receive: [session.Session.ReadChan], [session.Session.Recv], [session.Session.Messages] and
//     [session.Session.Events] for loops, or the options [engine.ConnectOptions.OnEvent] and
//     [engine.ListenOptions.OnEvent].
//   - To wait: [session.Session.WaitConnected], [session.Session.Flush],
//     [session.Session.Context].
//   - To end: [session.Session.Close], [session.Session.CloseNow], [session.Session.Done],
//     [engine.Listener.Close], and [engine.Engine.Shutdown], which ends everything.
//   - To look: [session.Session.State], [session.Session.Stats], [session.Session.RemoteAddr],
//     [session.Session.Name], [session.Session.Identity], [session.Session.TLS],
//     [session.Session.RTT], [engine.Engine.Stats], [engine.Engine.Totals],
//     [engine.Engine.Sessions], [engine.Listener.Sessions], [engine.Engine.History],
//     [engine.Engine.Health]; package debugpage shows all that in a browser.
//   - To keep data of one's own with a session: [session.Session.SetValue] and
//     [session.Session.Value]. To connect again now: [session.Session.RetryNow].
//   - In a gnet server of one's own: [NewHandler], [engine.Handler.AcceptChan],
//     [engine.Handler.Sessions], [engine.Handler.Shutdown].
//
// # What can be relied on
//
//   - Order. For one connection of a dialed session: Connected, its messages in order, then
//     Disconnected. An accepted session has one connection and no Disconnected: its Closed says why
//     that ended. Closed is the last event of every session, then the channel closes.
//   - One Disconnected per outage of a dialed session, with its cause, however many attempts fail. A
//     server that accepts and hangs up makes an outage of each attempt, unless AwaitPeer is set.
//   - Delivery in order and at most once. A message of which only a part reached the socket is sent
//     again, whole, on the next connection; messages accepted while disconnected wait within
//     WriteBuffer. What the kernel had already taken when a connection broke may be lost. With
//     WhileDown: Refuse nothing waits for a connection, and what was not sent is handed back.
//   - Lifecycle events are never dropped by a buffer's policy. But a connection that was over before
//     its events were read, and brought no message, is left out: see [Event] on Epoch.
//   - Writing never panics and never wedges: after Closed, Send returns ErrClosed, and what is sent
//     to WriteChan is discarded.
//   - Memory is bounded in both directions. A slow reader stops the peer by TCP's window, a slow
//     peer makes Send block, and other sessions do not notice. MinRate and AssemblyBudget bound
//     what messages take that have begun and do not come on.
//   - Liveness does not lie. Any received byte proves life, silence for HeartbeatTimeout ends the
//     connection, but a peer is never declared dead for our own slowness.
//   - Errors work with errors.Is and errors.As.
//
// # Four ways to consume
//
// Channels (ReadChan, WriteChan) compose with select. Recv and Send are cheaper per message, and
// loops over Events or Messages still more so.
// OnEvent callbacks need no goroutine per session; with Inline they run on the event loop, without
// a copy. A session that only sends has its events consumed, too, by one of these: unread messages
// stop its peer, and Disconnected and Closed are told in no other way.
//
// The function OnEvent is called a callback here, never a handler. A [Handler] is what makes
// sessions in a gnet server of the user's own, whose gnet.EventHandler is called by its full name.
//
// # The wire
//
// A message is a four-byte big-endian length and that many bytes. Length 0 is a heartbeat, and
// an accepted session begins with one. There is no handshake. Erlang's {packet,4}, Netty's
// LengthFieldPrepender(4), Thrift's framed transport and Clojure's net.async speak the same; [Codec]
// frames other protocols.
//
// # Where the rest is documented
//
// The types here are names for those of four packages, which document their fields and methods:
// options, Engine, Listener and Handler in [engine], Session, SessionStats, Event and Buffer in
// [session], Backoff in [reconnect], and Codec in [github.com/netasync/netasync/codec]. For example:
//
//	go doc github.com/netasync/netasync/engine.ConnectOptions
//	go doc github.com/netasync/netasync/session.Session.Send
//
// A network in memory to test programs with is package
// [github.com/netasync/netasync/netasynctest].
package netasync

import (
	"time"

	"github.com/netasync/netasync/engine"
	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

// NewEngine returns an engine, which Shutdown ends. Its event loops start with the first
// connection.
func NewEngine(o EngineOptions) (*Engine, error) { return engine.NewEngine(o) }

// NewHandler returns a gnet.EventHandler whose connections are sessions, for a gnet engine of the
// user's own.
func NewHandler(o ListenOptions) (*Handler, error) { return engine.NewHandler(o) }

// Fixed returns a buffer of n messages that pushes back when full; 0 means 128.
func Fixed(n int) Buffer { return session.Fixed(n) }

// Dropping returns a buffer of n messages that drops the newest when full; 0 means 128.
func Dropping(n int) Buffer { return session.Dropping(n) }

// Sliding returns a buffer of n messages that drops the oldest when full; 0 means 128.
func Sliding(n int) Buffer { return session.Sliding(n) }

// FixedDelay returns a back-off that always waits d, without jitter: net.async's own rule with
// d = 1 s. d must be over 0.
func FixedDelay(d time.Duration) Backoff { return reconnect.FixedDelay(d) }
