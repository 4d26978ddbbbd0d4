package reconnect

import (
	"container/heap"
	"sync"
	"time"
)

// Tickable is something that is to be looked after at certain instants.
type Tickable interface {
	// Tick does what is due and returns the next instant, or the zero Time for none. It must not
	// block: all share one goroutine.
	Tick() time.Time
}

// Ticks calls many Tickables, each when it is due, from one goroutine, which exists while there is
// anything to wait for. The zero value is ready for use. All methods are safe for concurrent use.
type Ticks struct {
	mu      sync.Mutex // guards all below, and the fields of every Tick; a leaf
	start   time.Time  // of the first Add: instants are counted from here
	queue   tickQueue
	calling *Tick     // whose Tick is being called, unless it was stopped meanwhile
	sooner  time.Time // when to call it again at the latest; zero: whenever it asks for
	running bool
	stopped bool
	wake    chan struct{} // one slot: the queue has a new head, or is stopped
	ended   sync.WaitGroup
}

// Tick is a Tickable that is looked after.
type Tick struct {
	of    *Ticks
	t     Tickable
	place int32 // in the queue, counted from 1; 0 if it is not there
}

// Add arranges for t.Tick at the given instant, and then at each that it returns.
func (k *Ticks) Add(t Tickable, at time.Time) *Tick {
	tick := &Tick{of: k, t: t}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return tick
	}
	due := k.push(tick, at)
	if !k.running {
		k.running = true
		if k.wake == nil {
			k.wake = make(chan struct{}, 1)
		}
		k.ended.Go(k.run)
		return tick
	}
	if k.queue[0].at == due {
		k.nudge()
	}
	return tick
}

// Sooner has the next Tick called at the given instant, if that is earlier than what was arranged. If
// one is being called, it counts for the one after it. Stopped ticks stay stopped.
func (t *Tick) Sooner(at time.Time) {
	k := t.of
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.calling == t {
		if k.sooner.IsZero() || at.Before(k.sooner) {
			k.sooner = at
		}
		return
	}
	if t.place == 0 || k.stopped {
		return
	}
	place := int(t.place - 1)
	if after := max(0, at.Sub(k.start)); after < k.queue[place].at {
		k.queue[place].at = after
		heap.Fix(&k.queue, place)
		if k.queue[0].tick == t {
			k.nudge()
		}
	}
}

// Stop ends the ticks of a Tickable: none begins from now on. It may be called during a tick.
func (t *Tick) Stop() {
	k := t.of
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.calling == t {
		k.calling = nil
	}
	if t.place > 0 && !k.stopped {
		heap.Remove(&k.queue, int(t.place-1))
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
		tick, wait, more := k.pop(time.Now())
		if !more {
			return
		}
		if tick == nil {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-k.wake:
			}
			continue
		}
		k.again(tick.t.Tick())
	}
}

// pop returns the first that is due, or else how long to wait for it, or reports that there is
// nothing to wait for.
func (k *Ticks) pop(now time.Time) (tick *Tick, wait time.Duration, more bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.queue) == 0 {
		k.running = false
		return nil, 0, false
	}
	if wait = k.queue[0].at - now.Sub(k.start); wait > 0 {
		return nil, wait, true
	}
	k.calling = heap.Pop(&k.queue).(due).tick
	return k.calling, 0, true
}

// again is Add for the one that was just called, at the instant it asked for, if any.
func (k *Ticks) again(at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.calling != nil && !at.IsZero() && !k.stopped {
		if !k.sooner.IsZero() && k.sooner.Before(at) {
			at = k.sooner
		}
		k.push(k.calling, at)
	}
	k.calling, k.sooner = nil, time.Time{}
}

// push puts a tick into the queue. The caller holds mu.
func (k *Ticks) push(t *Tick, at time.Time) time.Duration {
	if k.start.IsZero() {
		k.start = time.Now()
	}
	after := max(0, at.Sub(k.start)) // the distance to a negative one may be no number
	heap.Push(&k.queue, due{after, t})
	return after
}

// due is a tick and its instant. The latter is here, and not in Tick, so that a comparison need not
// look there.
type due struct {
	at   time.Duration // since Ticks.start
	tick *Tick
}

// tickQueue is a heap, the earliest first. Each tick knows its place.
type tickQueue []due

func (q tickQueue) Len() int           { return len(q) }
func (q tickQueue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q tickQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q.place(i)
	q.place(j)
}

func (q *tickQueue) Push(x any) {
	*q = append(*q, x.(due))
	q.place(len(*q) - 1)
}

func (q *tickQueue) Pop() any {
	old := *q
	last := len(old) - 1
	d := old[last]
	d.tick.place = 0
	old[last] = due{}
	*q = old[:last]
	return d
}

func (q tickQueue) place(i int) { q[i].tick.place = int32(i + 1) }
