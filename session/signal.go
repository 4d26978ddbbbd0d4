package session

import "context"

// signal wakes goroutines that wait for a condition. The lock that guards the condition guards the
// signal as well. One wake-up wakes one goroutine, which wakes the next if it leaves the condition
// true for others.
type signal struct {
	c       chan struct{} // one slot; made by the first to wait
	waiting int
}

// arm announces a waiter and returns the channel to wait on. The caller holds the lock, waits
// without it, and calls disarm under it again.
func (s *signal) arm() <-chan struct{} {
	if s.c == nil {
		s.c = make(chan struct{}, 1)
	}
	s.waiting++
	return s.c
}

func (s *signal) disarm() { s.waiting-- }

// wake wakes one waiter, if there is any. The caller holds the lock.
func (s *signal) wake() {
	if s.waiting == 0 {
		return
	}
	select {
	case s.c <- struct{}{}:
	default: // a wake-up is under way already
	}
}

// waitFor waits for a wake-up or the end of ctx.
func waitFor(ctx context.Context, c <-chan struct{}) error { return waitForEither(ctx, c, nil) }

// waitForEither waits for either wake-up or the end of ctx.
func waitForEither(ctx context.Context, c, other <-chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-other:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
