// Package load is the generator that every echo server meets: it keeps a window of messages under way on each
// of its connections and compares every byte that comes back. It is written on epoll and plain descriptors,
// without the library under test, so that it costs no more than the fastest server it measures.
package load

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/netasync/netasync/bench/internal/result"
	"github.com/netasync/netasync/bench/internal/wire"
)

// Options say what the load is. Flooded adds one connection that takes what comes back far slower than it sends.
type Options struct {
	Addr    string
	Conns   int
	Window  int // messages under way on each connection; 1 is ping-pong
	Payload int // bytes
	Threads int // epoll loops
	Flooded bool
	Warm    time.Duration
	Measure time.Duration
	Drain   time.Duration // how long what is under way at the end may take to come back; 0 for 5 s
	Begin   func()        // called when the measured time begins
	End     func()        // called when it ends, while the connections are still open
}

// Result is what one run of the load saw in its measured time.
type Result struct {
	Messages uint64            `json:"messages"`
	Elapsed  time.Duration     `json:"elapsed_ns"`
	PerSec   float64           `json:"per_s"`
	P50      float64           `json:"p50_us"`
	P99      float64           `json:"p99_us"`
	Latency  []result.Quantile `json:"latency"`
}

// drainTime is how long the last messages may take unless the options say so.
const drainTime = 5 * time.Second

// stallTime is how long a server may take for one message before it counts as stuck.
const stallTime = 2 * time.Second

var errStalled = errors.New("load: nothing came back in the measured time")

// Run opens the connections, loads the server and closes them again.
func Run(o Options) (Result, error) {
	tape := wire.NewTape(o.Payload, o.Window)
	fds, err := dialAll(o.Addr, o.Conns, tape)
	defer func() { closeAll(fds) }()
	if err != nil {
		return Result{}, err
	}
	if !o.Flooded {
		return load(fds, tape, o)
	}
	f, err := startFlood(o.Addr, o.Payload)
	if err != nil {
		return Result{}, err
	}
	r, err := load(fds, tape, o)
	return r, errors.Join(err, f.stop())
}

// load loads the server on the given connections.
func load(fds []int, tape *wire.Tape, o Options) (Result, error) {
	var current atomic.Int32
	workers, err := split(fds, tape, o, &current)
	if err != nil {
		return Result{}, err
	}
	return drive(workers, o, &current)
}

func split(fds []int, tape *wire.Tape, o Options, current *atomic.Int32) ([]*worker, error) {
	threads := max(1, min(o.Threads, o.Conns))
	var workers []*worker
	for i := range threads {
		w, err := newWorker(fds, i*len(fds)/threads, (i+1)*len(fds)/threads, tape, o, current)
		if err != nil {
			return nil, err
		}
		workers = append(workers, w)
	}
	return workers, nil
}

// drive takes the workers through their phases.
func drive(workers []*worker, o Options, current *atomic.Int32) (Result, error) {
	failed := make(chan error, len(workers))
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(func() {
			runtime.LockOSThread()
			if err := w.run(); err != nil {
				failed <- err
			}
		})
	}
	r, err := measure(workers, o, current, failed)
	if err == nil {
		current.Store(int32(draining))
	} else {
		current.Store(int32(aborted))
	}
	all.Wait()
	if err == nil && len(failed) > 0 {
		err = <-failed
	}
	if err != nil {
		return Result{}, err
	}
	return withLatency(r, workers), nil
}

func measure(workers []*worker, o Options, current *atomic.Int32, failed <-chan error) (Result, error) {
	if err := sleep(o.Warm, failed); err != nil {
		return Result{}, err
	}
	if o.Begin != nil {
		o.Begin()
	}
	current.Store(int32(measuring))
	start, before := time.Now(), total(workers)
	err := sleep(o.Measure, failed)
	for err == nil && total(workers) == before && time.Since(start) < stallTime {
		err = sleep(o.Measure, failed) // a busy machine may take longer for the first large message
	}
	elapsed, messages := time.Since(start), total(workers)-before
	if o.End != nil {
		o.End()
	}
	if err == nil && messages == 0 {
		err = errStalled
	}
	return Result{Messages: messages, Elapsed: elapsed, PerSec: float64(messages) / elapsed.Seconds()}, err
}

// sleep waits for d, or less when a worker fails.
func sleep(d time.Duration, failed <-chan error) error {
	select {
	case err := <-failed:
		return err
	case <-time.After(d):
		return nil
	}
}

func total(workers []*worker) uint64 {
	var n uint64
	for _, w := range workers {
		n += w.total.Load()
	}
	return n
}

func withLatency(r Result, workers []*worker) Result {
	merged := hdrhistogram.Import(workers[0].latency.Export())
	for _, w := range workers[1:] {
		merged.Merge(w.latency)
	}
	return r.with(merged)
}

// with adds a distribution of latencies to a result.
func (r Result) with(h *hdrhistogram.Histogram) Result {
	if h.TotalCount() == 0 {
		return r
	}
	r.P50, r.P99, r.Latency = micros(h, 50), micros(h, 99), quantiles(h)
	return r
}
