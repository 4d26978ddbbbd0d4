package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// voice is what the streams of a link have to say: each is in it once at most.
type voice[T any] struct {
	wake chan struct{} // one slot

	mu      sync.Mutex // guards all below; a leaf
	waiting []T
}

// add adds a stream that has something to say, unless it is marked as one that was added.
func (v *voice[T]) add(stream T, marked *atomic.Bool) {
	if marked.Swap(true) {
		return
	}
	v.mu.Lock()
	v.waiting = append(v.waiting, stream)
	v.mu.Unlock()
	v.tell()
}

// tell has wait return.
func (v *voice[T]) tell() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// take takes all streams. The caller clears their marks before he looks at what they have to say.
func (v *voice[T]) take() (all []T) {
	v.mu.Lock()
	defer v.mu.Unlock()
	all, v.waiting = v.waiting, nil
	return all
}

// wait waits until there is something to take, or a tick. It reports false when ctx has ended.
func (v *voice[T]) wait(ctx context.Context, ticks <-chan time.Time) (ticked, ok bool) {
	select {
	case <-v.wake:
		return false, true
	case <-ticks:
		return true, true
	case <-ctx.Done():
		return false, false
	}
}
