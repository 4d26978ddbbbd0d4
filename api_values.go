package netasync

import (
	"github.com/netasync/netasync/engine"
	"github.com/netasync/netasync/session"
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
	ErrWriteTimeout     = session.ErrWriteTimeout     // the peer took nothing for WriteTimeout
	ErrFrameTooLarge    = session.ErrFrameTooLarge    // a message over MaxPayload, ours or the peer's
	ErrBadHeader        = session.ErrBadHeader        // the peer sent what cannot be a length
	ErrEmptyMessage     = session.ErrEmptyMessage     // an empty message would be a heartbeat
	ErrQueueFull        = session.ErrQueueFull        // TrySend found no room
	ErrUndeliverable    = session.ErrUndeliverable    // a message dropped after three connections
	ErrLinger           = session.ErrLinger           // Close could not flush within Linger
	ErrCallbacks        = session.ErrCallbacks        // Recv on a session with OnEvent
	ErrNotResumable     = session.ErrNotResumable     // the peer does not speak resumption, see Resume
	ErrResumeExpired    = session.ErrResumeExpired    // the peer has not come back within ResumeWindow
	ErrTakenOver        = session.ErrTakenOver        // the peer has come with a newer connection
	ErrAcceptFull       = engine.ErrAcceptFull        // Health: AcceptChan is full
	ErrAcceptPaused     = engine.ErrAcceptPaused      // Health: accepting has failed, and is tried again
	ErrBadAck           = session.ErrBadAck           // the peer broke the protocol of resumption
)
