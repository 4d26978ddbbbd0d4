package proof

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"
)

// faults are what happens to nodes at random, one at a time.
type faults struct {
	w       *world
	rng     *rand.Rand
	started func(*process) // is told of a node that was started anew
	until   time.Time      // the fault that is now, or the pause
	undo    func()         // nil: a pause
	counts  map[string]int
}

func (w *world) faults(started func(*process)) *faults {
	return &faults{w: w, rng: rand.New(rand.NewPCG(*seed, 1)), started: started, counts: map[string]int{}}
}

// between returns a random duration.
func (f *faults) between(least, most time.Duration) time.Duration {
	return least + time.Duration(f.rng.Int64N(int64(most-least)))
}

// step begins a fault, or ends it, when it is time.
func (f *faults) step() {
	if time.Now().Before(f.until) {
		return
	}
	if f.end() {
		f.until = time.Now().Add(f.between(100*time.Millisecond, 2*time.Second))
		return
	}
	i := f.rng.IntN(nodes)
	kind := [...]string{"kill", "stop", "unplug", "part"}[(len(f.counts)+f.rng.IntN(4))%4]
	for k := range 4 { // each of them, before one comes again
		if next := [...]string{"kill", "stop", "unplug", "part"}[k]; len(f.counts) < 4 && f.counts[next] == 0 {
			kind = next
		}
	}
	f.counts[kind]++
	most := away
	if *length >= time.Minute { // longer than any patience of NATS
		most = 15 * time.Second
	}
	f.until = time.Now().Add(f.between(500*time.Millisecond, most))
	switch p := f.w.nodes[i]; kind {
	case "kill":
		f.w.books.kills(p)
		f.until = time.Now().Add(f.between(0, 2*time.Second))
		f.undo = func() { f.started(f.w.start(i)) }
	case "stop":
		p.signal(syscall.SIGSTOP)
		f.undo = func() { p.signal(syscall.SIGCONT) }
	case "unplug":
		unplug(f.w.t, i, true)
		f.undo = func() { unplug(f.w.t, i, false) }
	case "part":
		part(f.w.t, i, true)
		f.undo = func() { part(f.w.t, i, false) }
	}
}

// end ends the fault that is now, if there is any.
func (f *faults) end() bool {
	if f.undo == nil {
		return false
	}
	f.undo()
	f.undo = nil
	return true
}

func (f *faults) String() string { return fmt.Sprint(f.counts) }
