package reconnect

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// answer is what a call of Plan.Endpoints returned.
type answer struct {
	endpoints []string
	err       error
}

// endpoints asks where to connect. A changed answer is tried from its beginning: the place in the
// former one says nothing of it.
func (v *Supervisor) endpoints() ([]string, error) {
	endpoints, err := v.ask()
	if err != nil {
		return nil, fmt.Errorf("netasync: resolve: %w", err)
	}
	if len(endpoints) == 0 {
		return nil, errors.New("netasync: resolve: no addresses")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if !slices.Equal(endpoints, v.answer) {
		v.answer, v.next = slices.Clone(endpoints), 0
	}
	return v.answer, nil
}

// ask calls Plan.Endpoints, and waits for its answer for up to the timeout. A call that goes on is
// abandoned, and its answer is of no use any more; until it returns there is no further one, so
// that they do not pile up.
func (v *Supervisor) ask() ([]string, error) {
	ctx, cancel := context.WithTimeout(v.ctx, v.plan.Timeout)
	defer cancel()
	if v.asking != nil {
		if _, err := v.await(ctx); err != nil {
			return nil, err
		}
	}
	asking := make(chan answer, 1) // sent to once, and never closed
	v.asking = asking
	v.plan.Go(func() {
		endpoints, err := v.plan.Endpoints(ctx)
		asking <- answer{endpoints, err}
	})
	a, err := v.await(ctx)
	if err != nil {
		return nil, err
	}
	return a.endpoints, a.err
}

// await waits for the answer to the last call, until ctx ends.
func (v *Supervisor) await(ctx context.Context) (answer, error) {
	select {
	case a := <-v.asking:
		v.asking = nil
		return a, nil
	case <-ctx.Done():
		return answer{}, fmt.Errorf("no answer within %v: %w", v.plan.Timeout, ctx.Err())
	}
}
