package reconnect

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

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

// ask calls Plan.Endpoints, and waits for its answer for up to the timeout.
func (v *Supervisor) ask() ([]string, error) {
	ctx, cancel := context.WithTimeout(v.ctx, v.plan.Timeout)
	defer cancel()
	endpoints, err := v.asking.Do(ctx, v.plan.Go, v.plan.Endpoints, func([]string) {})
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("no answer within %v: %w", v.plan.Timeout, err)
	}
	return endpoints, err
}
