package session

import "context"

// lifetime is a context that ends with its session.
type lifetime struct {
	ctx context.Context
	end context.CancelCauseFunc
}

// Context returns a context that ends when the session has closed, always the same one. Its cause,
// see context.Cause, is then the Err of the Closed event, or context.Canceled if that is nil. It is
// for what works for the session and is to end with it. It needs no goroutine.
func (s *Session) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lifetime == nil {
		ctx, end := context.WithCancelCause(context.Background())
		s.lifetime = &lifetime{ctx, end}
		if s.state == StateClosed {
			end(s.why)
		}
	}
	return s.lifetime.ctx
}
