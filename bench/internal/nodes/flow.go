package nodes

import (
	"bytes"
	"context"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync/bench/internal/load"
)

// flow sends as fast as it may, without waiting for each message. Send waits when too many are under way.
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
	time.Sleep(a.duration(1))
	begun()
	start, before := time.Now(), sent.Load()
	time.Sleep(a.duration(2))
	elapsed, messages := time.Since(start), sent.Load()-before
	ended()
	var err error
	select {
	case err = <-failed: // too early
	default:
	}
	return load.Result{Messages: messages, Elapsed: elapsed, PerSec: float64(messages) / elapsed.Seconds()}, err
}
