package reconnect

import (
	"container/heap"
	"sync"
	"time"
)

// Tickable is something that wants to be looked after at certain instants.
type Tickable interface {
	// Tick does what is due and returns the next instant, or the zero Time for
	// none. It must not block: all share one goroutine.
	Tick() time.Time
}

// Ticks calls many Tickables, each when it is due, from one goroutine, which
// exists while there is anything to wait for. The zero value is ready for use.
// All methods are safe for concurrent use.
type Ticks struct {
	mu      sync.Mutex // guards all below; a leaf
	start   time.Time  // of the first Add: instants are counted from here
	queue   tickQueue
	running bool
	stopped bool
	wake    chan struct{} // one slot: the queue has a new head, or is stopped
	ended   sync.WaitGroup
}

// Add arranges for t.Tick at the given instant.
func (k *Ticks) Add(t Tickable, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return
	}
	due := k.push(t, at)
	if !k.running {
		k.running = true
		if k.wake == nil {
			k.wake = make(chan struct{}, 1)
		}
		k.ended.Go(k.run)
		return
	}
	if k.queue[0].due == due {
		k.nudge()
	}
}

// Stop forgets all that is due, and waits for a Tick that is being called.
func (k *Ticks) Stop() {
	k.mu.Lock()
	k.stopped = true
	k.queue = nil
	if k.running {
		k.nudge()
	}
	k.mu.Unlock()
	k.ended.Wait()
}

// nudge makes run look at the queue again. The caller holds mu.
func (k *Ticks) nudge() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run calls what is due until nothing is left.
func (k *Ticks) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		t, wait, more := k.pop(time.Now())
		if !more {
			return
		}
		if t == nil {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-k.wake:
			}
			continue
		}
		if next := t.Tick(); !next.IsZero() {
			k.again(t, next)
		}
	}
}

// pop returns the first that is due, or else how long to wait for it, or
// reports that there is nothing to wait for.
func (k *Ticks) pop(now time.Time) (t Tickable, wait time.Duration, more bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.queue) == 0 {
		k.running = false
		return nil, 0, false
	}
	if wait = k.queue[0].due - now.Sub(k.start); wait > 0 {
		return nil, wait, true
	}
	return heap.Pop(&k.queue).(tick).t, 0, true
}

// again is Add for the one that was just called.
func (k *Ticks) again(t Tickable, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.stopped {
		k.push(t, at)
	}
}

// push puts t into the queue. The caller holds mu.
func (k *Ticks) push(t Tickable, at time.Time) (due time.Duration) {
	if k.start.IsZero() {
		k.start = time.Now()
	}
	due = at.Sub(k.start)
	heap.Push(&k.queue, tick{due, t})
	return due
}

type tick struct {
	due time.Duration // since Ticks.start
	t   Tickable
}

// tickQueue is a heap, the earliest first.
type tickQueue []tick

func (q tickQueue) Len() int           { return len(q) }
func (q tickQueue) Less(i, j int) bool { return q[i].due < q[j].due }
func (q tickQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *tickQueue) Push(x any)        { *q = append(*q, x.(tick)) }
func (q *tickQueue) Pop() any {
	old := *q
	last := len(old) - 1
	t := old[last]
	old[last] = tick{}
	*q = old[:last]
	return t
}
