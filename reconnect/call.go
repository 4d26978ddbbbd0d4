package reconnect

import "context"

// Call calls functions of the user's that may not heed their context. A call that outlasts it is
// abandoned, and until it has returned there is no further one, so that they do not pile up. The
// zero value is ready for use, by one goroutine at a time.
type Call[T any] struct {
	abandoned chan struct{} // closed when the abandoned call has returned; nil if there is none
}

// Do returns what f returns, or the context's error if that ends first. start runs a function in a
// goroutine. late gets what an abandoned call has returned without an error.
func (c *Call[T]) Do(
	ctx context.Context, start func(func()), f func(context.Context) (T, error), late func(T),
) (value T, err error) {
	if c.abandoned != nil {
		select {
		case <-c.abandoned:
			c.abandoned = nil
		case <-ctx.Done():
			return value, ctx.Err()
		}
	}
	type result struct {
		value T
		err   error
	}
	results, returned := make(chan result), make(chan struct{})
	start(func() {
		defer close(returned)
		value, err := f(ctx)
		select {
		case results <- result{value, err}:
		case <-ctx.Done(): // nobody waits
			if err == nil {
				late(value)
			}
		}
	})
	select {
	case r := <-results:
		return r.value, r.err
	case <-ctx.Done():
		c.abandoned = returned
		return value, ctx.Err()
	}
}
