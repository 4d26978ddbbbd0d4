package broadcast

import (
	"runtime"
	"sync"

	"github.com/netasync/netasync/session"
)

// writers write what was queued for members: goroutines, as many as there are processors at most, that
// end when nothing is left. They belong to a group or a hub, and do not block: what does is left to
// the sessions. Its zero value is ready for use.
//
// A member is in the queue once until it is written, whatever is queued for it meanwhile: its session
// sees to that, see session.Member.TryShare. So no wake-up is lost: who adds one under mu finds a
// goroutine that has not looked for the last time, or starts one.
type writers struct {
	mu      sync.Mutex        // guards all below; a leaf
	queue   []*session.Member // those behind next wait
	next    int
	running int // goroutines
}

// handful is how many members a goroutine takes at a time, and then lets others run: an event loop that
// waits for the processor should not wait for more.
const handful = 16

// keptQueue is how long a queue is that is used again.
const keptQueue = 16 << 10

// pass collects the members to be written of one pass through a group. It is used by one goroutine.
type pass struct {
	w    *writers
	most int // goroutines
	n    int
	some [4 * handful]*session.Member
}

// begin begins a pass.
func (w *writers) begin() pass { return pass{w: w} }

// add adds a member, for which something is queued.
func (p *pass) add(m *session.Member) {
	if p.n == len(p.some) {
		p.end()
	}
	p.some[p.n] = m
	p.n++
}

// end gives those that were added to goroutines.
func (p *pass) end() {
	if p.n == 0 {
		return
	}
	if p.most == 0 {
		p.most = runtime.GOMAXPROCS(0)
	}
	p.w.put(p.some[:p.n], p.most)
	p.n = 0
}

// put queues members, and starts goroutines, so that each has a handful to do.
func (w *writers) put(some []*session.Member, most int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, some...)
	for waiting := len(w.queue) - w.next; w.running < most && w.running*handful < waiting; w.running++ {
		go w.write()
	}
}

// write writes until nothing is left.
func (w *writers) write() {
	var some [handful]*session.Member
	for {
		n := w.take(some[:])
		if n == 0 {
			return
		}
		for i, m := range some[:n] {
			m.Write()
			some[i] = nil
		}
		runtime.Gosched()
	}
}

// take takes some members out of the queue. If there are none, the goroutine that asks is to end.
func (w *writers) take(some []*session.Member) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := copy(some, w.queue[w.next:])
	w.next += n
	if n == 0 {
		w.running--
	}
	w.compact()
	return n
}

// compact sees to it that the memory of what was taken is used again, once it is the larger part.
func (w *writers) compact() {
	if w.next <= len(w.queue)/2 {
		return
	}
	n := copy(w.queue, w.queue[w.next:])
	clear(w.queue[n:])
	w.queue, w.next = w.queue[:n], 0
	if n == 0 && cap(w.queue) > keptQueue {
		w.queue = nil
	}
}
