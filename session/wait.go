package session

import "context"

// news tells all that wait for a fact that it may have changed. Session.mu guards it.
type news struct{ c chan struct{} } // nil: nobody waits

// await returns a channel that is closed by the next tell. The caller holds mu.
func (n *news) await() <-chan struct{} {
	if n.c == nil {
		n.c = make(chan struct{})
	}
	return n.c
}

// tell wakes all that wait. The caller holds mu.
func (n *news) tell() {
	if n.c != nil {
		close(n.c)
		n.c = nil
	}
}

// WaitConnected waits until the session is connected; if it is, it returns nil at once. A connection
// that began meanwhile counts, also if it is over by then. If the session has closed, the error is
// ErrClosed, and wraps the Err of the Closed event; if ctx ends first, it is ctx's error. An event
// loop must not wait: do not call it from an Inline callback.
func (s *Session) WaitConnected(ctx context.Context) error {
	s.mu.Lock()
	epoch := s.epoch
	for {
		if s.state == StateClosed {
			defer s.mu.Unlock()
			return s.closedError()
		}
		if s.begun() || s.epoch != epoch {
			s.mu.Unlock()
			return nil
		}
		told := s.madeEnds().connected.await()
		s.mu.Unlock()
		if err := waitFor(ctx, told); err != nil {
			return err
		}
		s.mu.Lock()
	}
}
