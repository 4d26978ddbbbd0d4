// Package calls compares libraries by which one process calls another: a request, and the reply to it. Both ends are
// the library's own, and the handler sends the request back.
package calls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync/bench/internal/load"
	"github.com/netasync/netasync/bench/internal/wire"
)

// Library is one contestant.
type Library struct {
	// Serve answers calls, until the process ends, and returns its address.
	Serve func() (addr string, err error)
	// Dial makes one connection to such a server. What it returns is safe for concurrent use.
	Dial func(addr string) (Call, error)
}

// Call makes a call, and waits for the reply.
type Call func(ctx context.Context, request []byte) (reply []byte, err error)

// Libraries are the contestants that are not this library.
var Libraries = map[string]Library{
	"nats": natsCalls,
	"grpc": grpcCalls,
}

// Options say what one client does.
type Options struct {
	Addr       string
	Window     int // calls under way, each in a goroutine that makes one after the other
	Payload    int // bytes
	Warm       time.Duration
	Measure    time.Duration
	Begin, End func() // called at both ends of the measured time; nil: nobody wants to know
}

var errMismatch = errors.New("calls: the reply is not to the request")

// limit is how long a call may take. It is a deadline, as users have one.
const limit = 10 * time.Second

// Run makes calls over one connection.
func Run(lib Library, o Options) (load.Result, error) {
	call, err := lib.Dial(o.Addr)
	if err != nil {
		return load.Result{}, err
	}
	r := runner{call: call, tape: wire.NewTape(o.Payload, o.Window), times: load.NewStopwatch()}
	failed := make(chan error, o.Window)
	var work sync.WaitGroup
	for i := range o.Window {
		work.Go(func() {
			if err := r.repeat(uint64(i), i == 0); err != nil { // one of them takes times, for all
				failed <- err
			}
		})
	}
	result, err := r.measure(o, failed)
	work.Wait()
	if err == nil && len(failed) > 0 {
		err = <-failed
	}
	return r.times.Into(result), err
}

// runner makes calls in several goroutines.
type runner struct {
	call  Call
	tape  *wire.Tape
	done  atomic.Uint64 // calls
	stop  atomic.Bool
	times load.Stopwatch
}

// repeat makes calls until it is to stop. Only one goroutine may take times.
func (r *runner) repeat(i uint64, timed bool) error {
	request := r.tape.Payload(i)
	for !r.stop.Load() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		begin := time.Now()
		reply, err := r.call(ctx, request)
		cancel()
		if err != nil {
			return err
		}
		if timed {
			r.times.Record(time.Since(begin))
		}
		if !bytes.Equal(reply, request) {
			return errMismatch
		}
		r.done.Add(1)
	}
	return nil
}

func (r *runner) measure(o Options, failed <-chan error) (result load.Result, err error) {
	defer r.stop.Store(true)
	if err := wait(o.Warm, failed); err != nil {
		return result, err
	}
	tell(o.Begin)
	r.times.Start()
	start, before := time.Now(), r.done.Load()
	err = wait(o.Measure, failed)
	elapsed, messages := time.Since(start), r.done.Load()-before
	r.times.Stop()
	tell(o.End)
	if err == nil && messages == 0 {
		err = fmt.Errorf("calls: no reply in %v", o.Measure)
	}
	return load.Result{Messages: messages, Elapsed: elapsed, PerSec: float64(messages) / elapsed.Seconds()}, err
}

func tell(f func()) {
	if f != nil {
		f()
	}
}

func wait(d time.Duration, failed <-chan error) error {
	select {
	case err := <-failed:
		return err
	case <-time.After(d):
		return nil
	}
}
