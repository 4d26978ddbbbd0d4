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
	// Place is where Ticks notes its place in the queue, 0 for none. It is for Ticks alone.
	Place() *int32
}

// Ticks calls many Tickables, each when it is due, from one goroutine, which
// exists while there is anything to wait for. The zero value is ready for use.
// All methods are safe for concurrent use.
type Ticks struct {
	mu      sync.Mutex // guards all below; a leaf
	start   time.Time  // of the first Add: instants are counted from here
	queue   tickQueue
	calling Tickable // whose Tick is being called, unless it was removed meanwhile
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

// Remove forgets t: no Tick of it begins from now on.
func (k *Ticks) Remove(t Tickable) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.calling == t {
		k.calling = nil
	}
	if place := *t.Place(); place > 0 && !k.stopped {
		heap.Remove(&k.queue, int(place-1))
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
		k.again(t.Tick())
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
	k.calling = heap.Pop(&k.queue).(tick).t
	return k.calling, 0, true
}

// again is Add for the one that was just called, at the instant it asked for, if any.
func (k *Ticks) again(at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.calling != nil && !at.IsZero() && !k.stopped {
		k.push(k.calling, at)
	}
	k.calling = nil
}

// push puts t into the queue. The caller holds mu.
func (k *Ticks) push(t Tickable, at time.Time) (due time.Duration) {
	if k.start.IsZero() {
		k.start = time.Now()
	}
	due = max(0, at.Sub(k.start)) // the distance to a negative one may be no number
	heap.Push(&k.queue, tick{due, t})
	return due
}

type tick struct {
	due time.Duration // since Ticks.start
	t   Tickable
}

// tickQueue is a heap, the earliest first. Each of its Tickables knows its place, counted from 1.
type tickQueue []tick

func (q tickQueue) Len() int           { return len(q) }
func (q tickQueue) Less(i, j int) bool { return q[i].due < q[j].due }
func (q tickQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q.place(i)
	q.place(j)
}

func (q *tickQueue) Push(x any) {
	*q = append(*q, x.(tick))
	q.place(len(*q) - 1)
}

func (q *tickQueue) Pop() any {
	old := *q
	last := len(old) - 1
	t := old[last]
	*t.t.Place() = 0
	old[last] = tick{}
	*q = old[:last]
	return t
}

func (q tickQueue) place(i int) { *q[i].t.Place() = int32(i + 1) }
