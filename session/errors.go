package session

import (
	"errors"

	"github.com/netasync/netasync/codec"
)

// The errors a session reports. All of them work with errors.Is.
var (
	// ErrClosed answers sends on a session that is closing or closed.
	ErrClosed = errors.New("netasync: session closed")
	// ErrNotConnected answers sends while there is no connection, with WhileDown: Refuse.
	ErrNotConnected = errors.New("netasync: not connected")
	// ErrShutdown answers calls on an engine that is shutting down, and is why its sessions
	// ended that could not flush in time.
	ErrShutdown = errors.New("netasync: shut down")
	// ErrHeartbeatTimeout ends a connection on which nothing was received for HeartbeatTimeout.
	ErrHeartbeatTimeout = errors.New("netasync: nothing received within the heartbeat timeout")
	// ErrSlowFrame ends a connection whose peer has begun a message and sends it slower than MinRate.
	ErrSlowFrame = errors.New("netasync: a message came slower than the minimum rate")
	// ErrOverloaded ends a connection whose unfinished message came least far when the unfinished
	// messages of the engine took more memory than AssemblyBudget allows.
	ErrOverloaded = errors.New("netasync: unfinished messages took more memory than their budget")
	// ErrWriteTimeout ends a connection whose peer acknowledged nothing of what waits for
	// WriteTimeout.
	ErrWriteTimeout = errors.New("netasync: nothing acknowledged within the write timeout")
	// ErrLinger ends a closing session whose queue could not be flushed within Linger.
	ErrLinger = errors.New("netasync: linger expired before the queue was flushed")
	// ErrEmptyMessage refuses an empty message: on the wire it would be a heartbeat.
	ErrEmptyMessage = errors.New("netasync: empty message")
	// ErrQueueFull answers TrySend when the write buffer has no room.
	ErrQueueFull = errors.New("netasync: write buffer full")
	// ErrCallbacks answers Recv on a session whose events go to OnEvent.
	ErrCallbacks = errors.New("netasync: events of this session go to OnEvent")
	// ErrUndeliverable is in Disconnected's Err, beside the cause of the loss, when a message was
	// dropped: three connections had ended while it was being written.
	ErrUndeliverable = errors.New("netasync: message dropped: connections ended while it was written")
	// ErrNotResumable is why a dialed session with Resume does not get connected: the peer does not
	// speak resumption. A listener with ResumeOnly refuses by it who does not ask.
	ErrNotResumable = errors.New("netasync: the peer cannot resume sessions")
	// ErrResumeExpired ends an accepted session with Resume whose peer has not come back within
	// ResumeWindow, or of which MaxDetached others without a connection took the place. It answers a Flush
	// of a dialed one whose peer does not know it any more.
	ErrResumeExpired = errors.New("netasync: the session to be resumed is over")
	// ErrTakenOver ends a connection of an accepted session whose peer has come with a newer one.
	ErrTakenOver = errors.New("netasync: the peer has come with a newer connection")
	// ErrBadAck ends a connection of a session with Resume whose peer has acknowledged what was never
	// sent, or has sent a control frame that is none.
	ErrBadAck = errors.New("netasync: the peer acknowledged what was never sent, " +
		"or broke the protocol of resumption")
	// ErrFrameTooLarge refuses a message over MaxPayload, and ends a connection whose peer
	// announces one.
	ErrFrameTooLarge = codec.ErrFrameTooLarge
	// ErrBadHeader ends a connection whose peer sends a header that cannot be one.
	ErrBadHeader = codec.ErrBadHeader
)

// caused is an error of ours and what has caused it, which may be the user's. Its text is made when it
// is asked for: it is made under Session.mu, where no method of the user's may be called.
type caused struct{ ours, cause error }

func (c *caused) Error() string   { return c.ours.Error() + ": " + c.cause.Error() }
func (c *caused) Unwrap() []error { return []error{c.ours, c.cause} }
