package nodes

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync/bench/internal/load"
)

// stallTime is how long nothing may go on.
const stallTime = 5 * time.Second

// flow sends as fast as it may, without waiting for each message. Send waits when too many are under way, and returns
// the context's error when that has ended, without having sent.
func flow(a args, send func(ctx context.Context, payload []byte) error) (any, error) {
	payload := bytes.Repeat([]byte("x"), a.number(0))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var sent atomic.Uint64
	failed := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := send(ctx, bytes.Clone(payload)); err != nil {
				failed <- err
				return
			}
			sent.Add(1)
		}
		failed <- nil
	}()
	if err := rest(a.duration(1), failed); err != nil {
		return nil, err
	}
	begun()
	start, before := time.Now(), sent.Load()
	err := rest(a.duration(2), failed)
	for err == nil && sent.Load() == before && time.Since(start) < stallTime { // a busy machine may take longer
		err = rest(time.Millisecond, failed)
	}
	elapsed, messages := time.Since(start), sent.Load()-before
	ended()
	if err != nil {
		return nil, err
	}
	cancel()
	if err = <-failed; errors.Is(err, context.Canceled) {
		err = nil
	}
	if err == nil && messages == 0 {
		err = errors.New("nodes: the stream stands still")
	}
	return load.Result{Messages: messages, Elapsed: elapsed, PerSec: float64(messages) / elapsed.Seconds()}, err
}

// rest waits, unless something fails.
func rest(d time.Duration, failed <-chan error) error {
	select {
	case err := <-failed:
		return err
	case <-time.After(d):
		return nil
	}
}
