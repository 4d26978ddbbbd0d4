package netasync

import (
	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/engine"
	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

// The types that connect and listen.
type (
	// Engine is where sessions live: it owns event loops, connects and listens.
	//
	//   - To begin: [engine.Engine.Connect], [engine.Engine.Listen], [engine.Engine.Serve].
	//   - To look: [engine.Engine.Sessions], [engine.Engine.Stats], [engine.Engine.Totals],
	//     [engine.Engine.History], [engine.Engine.Health].
	//   - To end: [engine.Engine.Shutdown].
	Engine = engine.Engine

	// Listener accepts connections and makes sessions of them.
	//
	//   - To take its sessions: [engine.Listener.AcceptChan].
	//   - To give it a connection that was accepted elsewhere: [engine.Listener.ServeConn].
	//   - To look: [engine.Listener.Addr], [engine.Listener.Sessions].
	//   - To end: [engine.Listener.Close].
	Listener = engine.Listener

	// Handler makes sessions of the connections of the user's own gnet engine.
	//
	//   - To take its sessions: [engine.Handler.AcceptChan].
	//   - To look: [engine.Handler.Sessions], [engine.Handler.Stats], [engine.Handler.Totals],
	//     [engine.Handler.History], [engine.Handler.Health].
	//   - To end: [engine.Handler.Shutdown].
	//   - What gnet calls, or the user's own gnet.EventHandler: [engine.Handler.OnBoot],
	//     [engine.Handler.OnOpen], [engine.Handler.OnTraffic], [engine.Handler.OnClose],
	//     [engine.Handler.OnTick], [engine.Handler.OnShutdown].
	Handler = engine.Handler
)

// The types of options. The zero value of each works.
type (
	// EngineOptions configure an Engine. The zero value works.
	//
	//   - Event loops: [engine.EngineOptions.Loops], [engine.EngineOptions.LoopBuffer],
	//     [engine.EngineOptions.LockOSThread].
	//   - Memory for unfinished messages: [engine.EngineOptions.AssemblyBudget].
	//   - Logs: [engine.EngineOptions.Logger].
	EngineOptions = engine.EngineOptions

	// ConnectOptions configure a dialed session. The zero value works.
	//
	//   - Where and how to dial: [engine.ConnectOptions.Addrs], [engine.ConnectOptions.Resolve],
	//     [engine.ConnectOptions.Dial], [engine.ConnectOptions.DialTimeout],
	//     [engine.ConnectOptions.TLS].
	//   - When to dial again: [engine.ConnectOptions.Backoff], [engine.ConnectOptions.MaxAttempts].
	//   - Callbacks: [engine.ConnectOptions.OnEvent], [engine.ConnectOptions.Inline].
	//   - What goes out, and when: [engine.ConnectOptions.Hello],
	//     [engine.ConnectOptions.AwaitPeer], [engine.ConnectOptions.WhileDown],
	//     [engine.ConnectOptions.Linger].
	//   - Exactly once across reconnects: [engine.ConnectOptions.Resume],
	//     [engine.ConnectOptions.Unacked], [engine.ConnectOptions.ResendLost],
	//     [engine.ConnectOptions.FollowRedirect].
	//   - Bounds of memory: [engine.ConnectOptions.ReadBuffer],
	//     [engine.ConnectOptions.WriteBuffer], [engine.ConnectOptions.MaxPayload],
	//     [engine.ConnectOptions.SocketReadBuffer], [engine.ConnectOptions.SocketWriteBuffer].
	//   - Whether the peer lives, and keeps up: [engine.ConnectOptions.HeartbeatPeriod],
	//     [engine.ConnectOptions.HeartbeatTimeout], [engine.ConnectOptions.MinRate],
	//     [engine.ConnectOptions.WriteTimeout], [engine.ConnectOptions.KeepAlive].
	//   - The wire: [engine.ConnectOptions.Codec].
	//   - A label for logs and figures: [engine.ConnectOptions.Name].
	ConnectOptions = engine.ConnectOptions

	// ListenOptions configure a listener's or a handler's sessions. The zero value works.
	//
	//   - Who may come in: [engine.ListenOptions.TLS], [engine.ListenOptions.Authorize],
	//     [engine.ListenOptions.Identify].
	//   - How many may: [engine.ListenOptions.AcceptBuffer], [engine.ListenOptions.MaxSessions],
	//     [engine.ListenOptions.MaxSessionsPerAddr], [engine.ListenOptions.MaxPending],
	//     [engine.ListenOptions.HandshakeTimeout].
	//   - Callbacks: [engine.ListenOptions.OnEvent], [engine.ListenOptions.Inline].
	//   - What goes out first and last: [engine.ListenOptions.NoGreeting],
	//     [engine.ListenOptions.Linger].
	//   - Exactly once across reconnects: [engine.ListenOptions.Resume],
	//     [engine.ListenOptions.ResumeOnly], [engine.ListenOptions.ResumeWindow],
	//     [engine.ListenOptions.Unacked], [engine.ListenOptions.MaxDetached].
	//   - Sessions of many engines: [engine.ListenOptions.TokenPrefix], [engine.ListenOptions.Route],
	//     [engine.ListenOptions.Redirect].
	//   - Bounds of memory: [engine.ListenOptions.ReadBuffer],
	//     [engine.ListenOptions.WriteBuffer], [engine.ListenOptions.MaxPayload],
	//     [engine.ListenOptions.SocketReadBuffer], [engine.ListenOptions.SocketWriteBuffer].
	//   - Whether the peer lives, and keeps up: [engine.ListenOptions.HeartbeatPeriod],
	//     [engine.ListenOptions.HeartbeatTimeout], [engine.ListenOptions.MinRate],
	//     [engine.ListenOptions.WriteTimeout], [engine.ListenOptions.KeepAlive].
	//   - The wire: [engine.ListenOptions.Codec].
	//   - Logs, and a label for them and for figures: [engine.ListenOptions.Logger],
	//     [engine.ListenOptions.Name].
	ListenOptions = engine.ListenOptions

	// ConnInfo is what is known of a connection that was accepted elsewhere: the peer's
	// [engine.ConnInfo.Remote] address, its [engine.ConnInfo.Identity], and whether it speaks TLS,
	// [engine.ConnInfo.Secure].
	ConnInfo = engine.ConnInfo

	// Buffer bounds one direction of a session, by [session.Buffer.Cap] and [session.Buffer.Bytes].
	// What a full one does is its [session.Buffer.Policy].
	Buffer = session.Buffer

	// Policy says what a full Buffer does: [PolicyFixed], [PolicyDropping] or [PolicySliding].
	Policy = session.Policy

	// WhileDown says what a dialed session does with messages while it has no connection: [Queue]
	// or [Refuse].
	WhileDown = session.WhileDown

	// Backoff says how long to wait before connecting again: [reconnect.Backoff.Initial] at first,
	// then longer by [reconnect.Backoff.Factor] each time, up to [reconnect.Backoff.Max], all of it
	// spread by [reconnect.Backoff.Jitter].
	Backoff = reconnect.Backoff

	// Codec says how a length is written before its payload.
	//
	//   - The size of the length: [codec.Format.Width], [codec.Format.Varint].
	//   - Its bytes: [codec.Format.LittleEndian].
	//   - What it counts: [codec.Format.IncludesHeader].
	//
	// For tools that speak the wire themselves it has methods: [codec.Format.AppendFrame],
	// [codec.Format.AppendHeader], [codec.Format.Cut], [codec.Format.FrameLen],
	// [codec.Format.Header], [codec.Format.HeaderLen], [codec.Format.Limit],
	// [codec.Format.Validate].
	Codec = codec.Format
)

// The types of a session.
type (
	// Session is a message channel to one peer. It stays valid while the network comes and goes.
	//
	//   - To send: [session.Session.WriteChan], [session.Session.Send],
	//     [session.Session.TrySend], [session.Session.SendBatch].
	//   - To receive: [session.Session.ReadChan], [session.Session.Recv],
	//     [session.Session.Events], [session.Session.Messages].
	//   - To wait: [session.Session.WaitConnected], [session.Session.Flush].
	//   - To end: [session.Session.Close], [session.Session.CloseNow]. To end with it:
	//     [session.Session.Done], [session.Session.Context].
	//   - To connect again now: [session.Session.RetryNow].
	//   - Who is at the other end: [session.Session.Identity], [session.Session.TLS],
	//     [session.Session.RemoteAddr], [session.Session.LocalAddr].
	//   - How it does: [session.Session.State], [session.Session.Stats], [session.Session.RTT].
	//   - What it is called: [session.Session.ID], [session.Session.Name],
	//     [session.Session.LogValue].
	//   - Data of one's own: [session.Session.SetValue], [session.Session.Value].
	Session = session.Session

	// Event is what a session tells its user.
	//
	//   - What it is: [session.Event.Kind], and of which connection: [session.Event.Epoch].
	//   - Of Message: [session.Event.Payload].
	//   - Of Disconnected and Closed: [session.Event.Err], [session.Event.Queued],
	//     [session.Event.Unsent].
	//   - With Resume: [session.Event.Resumed], [session.Event.Lost].
	Event = session.Event

	// EventKind says what an Event is about: [Connected], [Message], [Disconnected] or [Closed].
	// [session.EventKind.String] names it.
	EventKind = session.EventKind

	// State is where a session stands: [StateConnecting], [StateConnected], [StateDisconnected] or
	// [StateClosed]. [session.State.String] names it.
	State = session.State
)

// The types of figures.
type (
	// SessionStats are figures about one session.
	SessionStats = session.Stats

	// Stats are figures about an Engine or a Handler.
	Stats = engine.Stats

	// Refusals are the connections that did not become sessions, by reason.
	Refusals = engine.Refusals

	// Totals are sums over sessions of one name, or of all.
	Totals = session.Totals

	// History is what happened lately to the sessions of an Engine or a Handler:
	// [session.History.Events], and [session.History.Closed] sessions.
	History = session.History

	// PastEvent is a lifecycle event that a History has kept.
	PastEvent = session.PastEvent

	// ClosedSession is a session that has closed, as a History has kept it.
	ClosedSession = session.ClosedSession

	// Reason says by what a connection has ended: an index of Totals.Disconnects.
	// [session.Reason.String] names it.
	Reason = session.Reason
)

// The types of errors that say more than a sentinel does.
type (
	// FrameTooLargeError is an [ErrFrameTooLarge] that says how large, and what it reads like. Its
	// methods are [codec.FrameTooLargeError.Error] and [codec.FrameTooLargeError.Unwrap].
	FrameTooLargeError = codec.FrameTooLargeError

	// UnsentError says how many messages a Shutdown could not send, also by
	// [engine.UnsentError.Error].
	UnsentError = engine.UnsentError
)
