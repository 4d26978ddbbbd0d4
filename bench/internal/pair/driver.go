package pair

import (
	"bytes"
	"errors"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync/bench/internal/load"
	"github.com/netasync/netasync/bench/internal/wire"
)

// Options say what one client does.
type Options struct {
	Addr    string
	Window  int // messages under way; 1 is ping-pong
	Payload int // bytes
	Warm    time.Duration
	Measure time.Duration
	// Begin and End are called at both ends of the measured time; nil: nobody wants to know.
	Begin, End func()
}

var (
	errMismatch = errors.New("pair: what came back is not what was sent")
	errLost     = errors.New("pair: messages did not come back")
	errStalled  = errors.New("pair: nothing came back in the measured time")
)

const (
	drainTime = 5 * time.Second
	stallTime = 2 * time.Second // in which at least one message must come back
	settle    = 5 * time.Millisecond
)

// driver keeps a window of messages under way. In ping-pong, the callback sends the next message itself, without
// a change of goroutines; otherwise one goroutine sends while the library's own calls back.
type driver struct {
	tape    *wire.Tape
	window  uint64
	peer    atomic.Pointer[Peer] // set once, before anything is sent
	sent    atomic.Uint64        // messages; stored by whoever sends
	back    atomic.Uint64        // messages; stored by the callback
	waiting atomic.Bool          // the sender sleeps until half of the window is free
	wake    chan struct{}        // the callback sends, the sender receives; never closed
	stop    chan struct{}        // closed by Run: nothing more is to be sent
	failed  chan error           // the first failure of either side; never closed
	times   load.Stopwatch
	started time.Time // of the ping under way
}

// Run drives one connection of the library.
func Run(lib Library, o Options) (Result, error) {
	d := &driver{
		tape: wire.NewTape(o.Payload, o.Window), window: uint64(o.Window),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), failed: make(chan error, 1),
		times: load.NewStopwatch(),
	}
	got := d.pipelined
	if o.Window == 1 {
		got = d.pong
	}
	peer, err := lib.Dial(o.Addr, got)
	if err != nil {
		return Result{}, err
	}
	d.peer.Store(&peer)
	if o.Window == 1 {
		d.started = time.Now()
		d.send(0)
	} else {
		go d.pump()
	}
	r, err := d.measure(o)
	if err != nil {
		return r, err // somebody may still be sending: the connection ends with the process
	}
	return r, peer.Close()
}

func (d *driver) measure(o Options) (Result, error) {
	if err := d.sleep(o.Warm); err != nil {
		return Result{}, err
	}
	tell(o.Begin)
	d.times.Start()
	start, before := time.Now(), d.back.Load()
	err := d.sleep(o.Measure)
	for err == nil && d.back.Load() == before && time.Since(start) < stallTime {
		err = d.sleep(o.Measure) // a busy machine may take longer for the first large message
	}
	elapsed, messages := time.Since(start), d.back.Load()-before
	d.times.Stop()
	tell(o.End)
	close(d.stop)
	switch {
	case err != nil:
		return Result{}, err
	case messages == 0:
		return Result{}, errStalled
	}
	r := Result{Messages: messages, Elapsed: elapsed, PerSec: float64(messages) / elapsed.Seconds()}
	if err := d.drain(); err != nil {
		return Result{}, err
	}
	return d.times.Into(r), nil
}

func tell(f func()) {
	if f != nil {
		f()
	}
}

// drain waits for what is still under way.
func (d *driver) drain() error {
	for deadline := time.Now().Add(drainTime); ; {
		// The sender may be about to add one more, so a balance counts only if it lasts.
		before := d.sent.Load()
		if err := d.sleep(settle); err != nil {
			return err
		}
		if d.sent.Load() == before && d.back.Load() == before {
			return nil
		}
		if time.Now().After(deadline) {
			return errLost
		}
	}
}

func (d *driver) sleep(t time.Duration) error {
	select {
	case err := <-d.failed:
		return err
	case <-time.After(t):
		return nil
	}
}

func (d *driver) send(i uint64) {
	d.sent.Store(i + 1)
	if err := (*d.peer.Load()).Send(d.tape.Payload(i)); err != nil {
		d.fail(err)
	}
}

func (d *driver) fail(err error) {
	select {
	case d.failed <- err:
	default:
	}
}

// pong takes the time of what came back and sends the next.
func (d *driver) pong(message []byte) {
	i := d.back.Load()
	if !bytes.Equal(message, d.tape.Payload(i)) {
		d.fail(errMismatch)
		return
	}
	now := time.Now()
	d.times.Record(now.Sub(d.started))
	d.started = now
	d.back.Store(i + 1)
	if !d.stopped() {
		d.send(i + 1)
	}
}

func (d *driver) stopped() bool {
	select {
	case <-d.stop:
		return true
	default:
		return false
	}
}

// pump sends as long as the window allows.
func (d *driver) pump() {
	for i := uint64(0); ; i++ {
		for i-d.back.Load() >= d.window {
			if !d.room(i) {
				return
			}
		}
		if i%d.window == 0 && d.stopped() {
			return
		}
		d.send(i)
	}
}

// room sleeps until half of the window is free, and tells whether to go on.
func (d *driver) room(i uint64) bool {
	d.waiting.Store(true)
	if i-d.back.Load() <= d.window/2 {
		d.waiting.Store(false)
		return true
	}
	select {
	case <-d.wake:
		return true
	case <-d.stop:
		return false
	}
}

func (d *driver) pipelined(message []byte) {
	i := d.back.Load()
	if !bytes.Equal(message, d.tape.Payload(i)) {
		d.fail(errMismatch)
		return
	}
	d.back.Store(i + 1)
	if d.waiting.Load() && d.sent.Load()-(i+1) <= d.window/2 && d.waiting.CompareAndSwap(true, false) {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
}
