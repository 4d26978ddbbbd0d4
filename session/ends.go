package session

import (
	"context"
)

// ends are what tells others of a session's life. Session.mu guards them.
type ends struct {
	done      chan struct{} // made by the first Done
	connected news          // told when the session is connected, or has closed

	ctx    context.Context // made by the first Context
	cancel context.CancelCauseFunc
}

// madeEnds returns s.ends. The caller holds mu.
func (s *Session) madeEnds() *ends {
	if s.ends == nil {
		s.ends = new(ends)
	}
	return s.ends
}

// Done returns a channel that is closed when the session has closed. Events may still wait to be
// read then.
func (s *Session) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.madeEnds()
	if e.done == nil {
		e.done = make(chan struct{})
		if s.state == StateClosed {
			close(e.done)
		}
	}
	return e.done
}

// Context returns a context that ends when the session has closed, always the same one. Its cause,
// see context.Cause, is then the Err of the Closed event, or context.Canceled if that is nil. It is
// for what works for the session and is to end with it. It needs no goroutine.
func (s *Session) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.madeEnds()
	if e.ctx == nil {
		e.ctx, e.cancel = context.WithCancelCause(context.Background())
		if s.state == StateClosed {
			e.cancel(s.cause)
		}
	}
	return e.ctx
}

// tellConnected tells that the session is connected. The caller holds mu.
func (s *Session) tellConnected() {
	if s.ends != nil {
		s.ends.connected.tell()
	}
}

// tellEnd tells that the session has closed, for the reason cause. The caller holds mu.
func (s *Session) tellEnd() {
	e := s.ends
	if e == nil {
		return
	}
	if e.done != nil {
		close(e.done)
	}
	if e.ctx != nil {
		e.cancel(s.cause)
	}
	e.connected.tell()
}

// closedError is what answers those who wait for something of a session that has closed, for the
// reason cause. The caller holds mu.
func (s *Session) closedError() error {
	if s.cause == nil {
		return ErrClosed
	}
	return &caused{ErrClosed, s.cause}
}
