package call

import (
	"errors"
	"fmt"
)

var (
	// ErrLost is in the error of a call that may have been executed, or not: the session had taken its
	// request, so that it may have been sent, and no reply came. Errors of calls without it, but for a
	// RemoteError, say that it was not executed.
	ErrLost = errors.New("call: it is not known whether the request was executed")
	// ErrBusy answers a call that the peer has refused, since it works on MaxHandlers others.
	ErrBusy = errors.New("call: the peer is busy, and has not executed the request")
	// ErrNotServed answers a call to a peer that does not call Serve any more.
	ErrNotServed = errors.New("call: the peer does not serve any more, and has not executed the request")
	// ErrRefused answers a call that the peer has refused for a reason that this version does not know.
	ErrRefused = errors.New("call: the peer has refused the request, and not executed it")
	// ErrServing answers Serve while another one serves.
	ErrServing = errors.New("call: another Serve takes the requests")
	// ErrProtocol ends the connection of a peer that has sent what is no frame of this protocol.
	ErrProtocol = errors.New("call: the peer broke the protocol of calls")

	errLossy     = errors.New("call: ReadBuffer and WriteBuffer of the session must be Fixed")
	errRefuses   = errors.New("call: WhileDown: Refuse of a session with Resume loses replies: set FailFast instead")
	errTooSmall  = fmt.Errorf("call: MaxPayload of the session must be %d at least", atRequest)
	errNoHandler = errors.New("call: Serve needs a handler")
	errOtherPeer = errors.New("call: another session has begun, which knows nothing of the request")
)

// RemoteError is the error that the peer's handler has returned, as text: the request was executed. The text
// is cut to 4,096 bytes, or to what MaxPayload allows; the peer may also tell that its reply was too large.
type RemoteError struct {
	Message string // the text of the handler's error
}

// Error returns the peer's words.
func (e *RemoteError) Error() string { return "call: the peer's handler: " + e.Message }
