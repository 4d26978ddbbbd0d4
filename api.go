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
//   - To begin: [NewEngine], [engine.Engine.Connect], [engine.Engine.Listen]. A server takes its
//     sessions from [engine.Listener.AcceptChan]. [engine.Engine.Serve] is for listeners of one's own.
//   - To send: [session.Session.WriteChan], [session.Session.Send], [session.Session.SendBatch], and
//     [session.Session.TrySend], which does not wait.
//     To many at once: package broadcast.
//   - To receive: [session.Session.ReadChan], [session.Session.Recv], [session.Session.Messages] and
//     [session.Session.Events] for loops, or the option OnEvent of [engine.ConnectOptions] and
//     [engine.ListenOptions].
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
// options, Engine, Listener and Handler in engine, Session, SessionStats, Event and Buffer in
// session, Backoff in reconnect, and Codec in codec. For example:
//
//	go doc github.com/netasync/netasync/engine.ConnectOptions
//	go doc github.com/netasync/netasync/session.Session.Send
package netasync

import (
	"time"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/engine"
	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

// The types of the library. The comment on each says which package documents its fields and
// methods.
type (
	// Engine is where sessions live: it owns event loops, connects and listens. See package engine.
	Engine = engine.Engine
	// EngineOptions configure an Engine. The zero value works. See package engine.
	EngineOptions = engine.EngineOptions
	// ConnectOptions configure a dialed session. The zero value works. See package engine.
	ConnectOptions = engine.ConnectOptions
	// ListenOptions configure a listener's or a handler's sessions. The zero value works. See
	// package engine.
	ListenOptions = engine.ListenOptions
	// Listener accepts connections and makes sessions of them.
	Listener = engine.Listener
	// Handler makes sessions of the connections of the user's own gnet engine.
	Handler = engine.Handler
	// ConnInfo is what is known of a connection that was accepted elsewhere, see ListenOptions.Route.
	ConnInfo = engine.ConnInfo
	// Stats are figures about an Engine or a Handler.
	Stats = engine.Stats
	// Refusals are the connections that did not become sessions, by reason.
	Refusals = engine.Refusals
	// Totals are sums over sessions of one name, or of all.
	Totals = session.Totals
	// Reason says by what a connection has ended: an index of Totals.Disconnects.
	Reason = session.Reason

	// History is what happened lately to the sessions of an Engine or a Handler: the latest PastEvents
	// and ClosedSessions.
	History = session.History
	// PastEvent is a lifecycle event that a History has kept.
	PastEvent = session.PastEvent
	// ClosedSession is a session that has closed, as a History has kept it.
	ClosedSession = session.ClosedSession

	// Session is a message channel to one peer. See package session.
	Session = session.Session
	// SessionStats are figures about one session. See package session.
	SessionStats = session.Stats
	// Event is what a session tells its user.
	Event = session.Event
	// EventKind says what an Event is about.
	EventKind = session.EventKind
	// State is where a session stands.
	State = session.State
	// Buffer bounds one direction of a session. See package session.
	Buffer = session.Buffer
	// Policy says what a full Buffer does.
	Policy = session.Policy
	// WhileDown says what a dialed session does with messages while it has no connection.
	WhileDown = session.WhileDown

	// Codec says how a length is written before its payload. See package codec.
	Codec = codec.Format
	// Backoff says how long to wait before connecting again. See package reconnect.
	Backoff = reconnect.Backoff
	// FrameTooLargeError is an ErrFrameTooLarge that says how large, and what it reads like.
	FrameTooLargeError = codec.FrameTooLargeError
	// UnsentError says how many messages a Shutdown could not send.
	UnsentError = engine.UnsentError
)

// The kinds of events.
const (
	Connected    = session.Connected
	Message      = session.Message
	Disconnected = session.Disconnected
	Closed       = session.Closed
)

// The states of a session.
const (
	StateConnecting   = session.StateConnecting
	StateConnected    = session.StateConnected
	StateDisconnected = session.StateDisconnected
	StateClosed       = session.StateClosed
)

// The policies of a Buffer.
const (
	PolicyFixed    = session.PolicyFixed
	PolicyDropping = session.PolicyDropping
	PolicySliding  = session.PolicySliding
)

// The reasons by which connections end.
const (
	ReasonEOF       = session.ReasonEOF
	ReasonReset     = session.ReasonReset
	ReasonHeartbeat = session.ReasonHeartbeat
	ReasonProtocol  = session.ReasonProtocol
	ReasonTLS       = session.ReasonTLS
	ReasonShutdown  = session.ReasonShutdown
	ReasonOther     = session.ReasonOther
)

// The values of WhileDown.
const (
	Queue  = session.Queue
	Refuse = session.Refuse
)

// The errors of the library. All of them work with errors.Is.
var (
	ErrClosed           = session.ErrClosed           // the session is closing or closed
	ErrNotConnected     = session.ErrNotConnected     // there is no connection, with WhileDown: Refuse
	ErrShutdown         = session.ErrShutdown         // the engine is shutting down
	ErrHeartbeatTimeout = session.ErrHeartbeatTimeout // nothing was received for HeartbeatTimeout
	ErrSlowFrame        = session.ErrSlowFrame        // a message that has begun came slower than MinRate
	ErrOverloaded       = session.ErrOverloaded       // unfinished messages took more than AssemblyBudget
	ErrWriteTimeout     = session.ErrWriteTimeout     // the peer took nothing of what waits for WriteTimeout
	ErrFrameTooLarge    = session.ErrFrameTooLarge    // a message over MaxPayload, ours or the peer's
	ErrBadHeader        = session.ErrBadHeader        // the peer sent what cannot be a length
	ErrEmptyMessage     = session.ErrEmptyMessage     // an empty message would be a heartbeat
	ErrQueueFull        = session.ErrQueueFull        // TrySend found no room
	ErrUndeliverable    = session.ErrUndeliverable    // three connections ended within one message, which was dropped
	ErrLinger           = session.ErrLinger           // Close could not flush within Linger
	ErrCallbacks        = session.ErrCallbacks        // Recv on a session with OnEvent
	ErrNotResumable     = session.ErrNotResumable     // the peer does not speak resumption, see Resume
	ErrResumeExpired    = session.ErrResumeExpired    // the peer has not come back within ResumeWindow
	ErrTakenOver        = session.ErrTakenOver        // the peer has come with a newer connection
	ErrAcceptFull       = engine.ErrAcceptFull        // Health: AcceptChan is full
	ErrAcceptPaused     = engine.ErrAcceptPaused      // Health: accepting has failed, and is tried again
	ErrBadAck           = session.ErrBadAck           // the peer broke the protocol of resumption
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
