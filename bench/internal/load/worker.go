package load

import (
	"cmp"
	"os"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"github.com/netasync/netasync/bench/internal/wire"
)

const (
	readChunk    = 256 << 10
	eventsAtOnce = 256
	tick         = 20 // milliseconds epoll sleeps at most, so that a worker notices the end of a phase
)

type phase int32

const (
	warming phase = iota
	measuring
	draining
	aborted // something failed already: end at once
)

// worker drives its share of the connections from one epoll loop.
type worker struct {
	epoll  int
	conns  []*conn
	tape   *wire.Tape
	window int
	drain  time.Duration // how long the draining phase may take
	phase  *atomic.Int32 // set by Run, read here
	buf    []byte
	now    time.Time // the clock as of the event at hand; zero when not read yet
	seen   phase

	latency *hdrhistogram.Histogram // read by Run once the worker has ended
	_       [64]byte                // messages on a cache line of its own
	total   atomic.Uint64           // messages that came back; read by Run while the worker runs
	_       [64]byte
}

// newWorker takes over the connections from the given one up to another.
func newWorker(fds []int, from, to int, tape *wire.Tape, o Options, p *atomic.Int32) (*worker, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	w := &worker{
		epoll: epoll, tape: tape, window: o.Window, drain: cmp.Or(o.Drain, drainTime), phase: p,
		buf: make([]byte, readChunk), latency: newHistogram(),
	}
	for i := from; i < to; i++ {
		c := newConn(i, fds[i], tape, o.Window)
		w.conns = append(w.conns, c)
		if err := unix.SetNonblock(c.fd, true); err != nil {
			return nil, os.NewSyscallError("fcntl", err)
		}
		if err := w.watch(unix.EPOLL_CTL_ADD, c); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// run starts the load and goes on until the draining phase has brought everything back.
func (w *worker) run() error {
	defer unix.Close(w.epoll)
	byFD := make(map[int32]*conn, len(w.conns))
	for _, c := range w.conns {
		byFD[int32(c.fd)] = c
		w.now = time.Time{}
		if err := c.flush(w); err != nil {
			return err
		}
	}
	var deadline time.Time
	events := make([]unix.EpollEvent, eventsAtOnce)
	for {
		n, err := unix.EpollWait(w.epoll, events, tick)
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("epoll_wait", err)
		}
		w.seen = phase(w.phase.Load())
		for i := range max(n, 0) {
			w.now = time.Time{}
			if err := w.serve(byFD[events[i].Fd], events[i].Events); err != nil {
				return err
			}
		}
		if w.seen == aborted {
			return nil
		}
		if w.seen == draining {
			if deadline.IsZero() {
				deadline = time.Now().Add(w.drain)
			}
			if done, err := w.finished(n == 0, deadline); done {
				return err
			}
		}
	}
}

func (w *worker) serve(c *conn, events uint32) error {
	if events&unix.EPOLLOUT != 0 {
		if err := c.flush(w); err != nil {
			return err
		}
	}
	if events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		return c.receive(w, w.seen < draining)
	}
	return nil
}

// finished tells whether everything came back and then it was quiet for a tick: whatever else a server says shows
// as too much. What stays away beyond the deadline is lost.
func (w *worker) finished(quiet bool, deadline time.Time) (bool, error) {
	for _, c := range w.conns {
		if !c.drained() {
			if time.Now().After(deadline) {
				return true, errLost
			}
			return false, nil
		}
	}
	return quiet, nil
}

func (w *worker) watch(op int, c *conn) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)}
	if c.blocked {
		event.Events |= unix.EPOLLOUT
	}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(w.epoll, op, c.fd, &event))
}

func (w *worker) count(messages uint64) {
	if messages > 0 {
		w.total.Store(w.total.Load() + messages)
	}
}

func (w *worker) record(d time.Duration) {
	if w.seen == measuring {
		_ = w.latency.RecordValue(max(d.Nanoseconds(), lowest))
	}
}
