package reconnect

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Plan says how one session is to be connected. It is never written to.
type Plan struct {
	Backoff  Backoff       // resolved
	Timeout  time.Duration // of one dial, until the connection is ready for use
	Attempts int           // failures in a row after which to give up; 0 means never

	Endpoints func(context.Context) ([]string, error)      // asked before every attempt, for up to Timeout
	Dial      func(ctx context.Context, addr string) error // connects and hands the connection over

	Begin  func() bool    // before each dial; false means that no connection is wanted any more
	Stays  func() bool    // after one that was not proven: begin with its endpoint; nil: with the next
	Failed func(error)    // after each attempt that failed
	Tell   Tell           // what is told of failures; nil is allowed
	GiveUp func(error)    // after the last
	Go     func(f func()) // runs f in a goroutine that is waited for
}

// Tell tells of a failure, and how many there were in a row. It is news if it is the first, or its
// kind is another one than before, or their number is a power of two: a server that is away for a
// day is told in twenty lines.
type Tell func(failures int, err error, news bool)

// Supervisor connects one session, and again whenever its connection is lost. It has a goroutine
// only while there is no connection. An attempt tries each endpoint once, in turn, and back-off is
// between attempts. All methods are safe for concurrent use.
type Supervisor struct {
	plan   Plan
	ctx    context.Context
	cancel context.CancelFunc
	kick   chan struct{} // one slot: cut the back-off short

	mu       sync.Mutex // guards all below; a leaf
	running  bool       // run is at work, and alone may touch the rest
	again    bool       // a connection that was handed over is lost already
	proven   bool       // and had proved itself
	cause    error      // of its loss
	failures int        // in a row
	next     int        // the endpoint of answer to begin with
	unproven bool       // the last connection was not proven, and its endpoint is at next
	answer   []string   // the endpoints of the last attempt
	asking   Call[[]string]
	lastErr  error  // of the last failed attempt, or unproven connection
	told     string // the kind of error that was told last in this row of failures
}

// NewSupervisor returns a supervisor that works until ctx ends. Start sets it off.
func NewSupervisor(ctx context.Context, plan Plan) *Supervisor {
	v := &Supervisor{plan: plan, kick: make(chan struct{}, 1)}
	v.ctx, v.cancel = context.WithCancel(ctx)
	return v
}

// Start makes the first attempt, at once.
func (v *Supervisor) Start() { v.launch(true) }

// Redial connects again after the connection was lost. If that had proved
// itself, back-off and the count of failures begin anew; if not, it
// counts as one more failure, with the cause of the loss.
func (v *Supervisor) Redial(proven bool, cause error) {
	v.mu.Lock()
	if v.running { // run has handed the connection over, but has not returned yet
		v.again, v.proven, v.cause = true, proven, cause
		v.mu.Unlock()
		return
	}
	v.account(proven, cause)
	v.mu.Unlock()
	v.launch(false)
}

// Kick cuts the current back-off short.
func (v *Supervisor) Kick() {
	select {
	case v.kick <- struct{}{}:
	default:
	}
}

// Stop ends all attempts, for good. It does not wait.
func (v *Supervisor) Stop() { v.cancel() }

// account notes how the last connection ended. The caller holds mu.
func (v *Supervisor) account(proven bool, cause error) {
	if proven {
		v.failures = 0
		return
	}
	v.failures++
	v.unproven = true
	v.lastErr = errUnproven
	if cause != nil {
		v.lastErr = fmt.Errorf("%w: %w", errUnproven, cause)
	}
}

var errUnproven = errors.New("netasync: connection ended before it had proved itself")

func (v *Supervisor) launch(atOnce bool) {
	v.mu.Lock()
	v.running = true
	v.mu.Unlock()
	v.plan.Go(func() { v.run(atOnce) })
}

// run attempts to connect until a connection has been handed over.
func (v *Supervisor) run(atOnce bool) {
	for {
		v.tell()
		if v.exhausted() {
			return
		}
		if !atOnce && !v.pause() {
			return
		}
		atOnce = false
		if !v.plan.Begin() {
			return
		}
		err := v.attempt()
		if v.ctx.Err() != nil {
			return
		}
		if err != nil {
			v.fail(err)
			continue
		}
		if v.connected() {
			return
		}
	}
}

// tell tells of the last failure, if there is any in this row.
func (v *Supervisor) tell() {
	v.mu.Lock()
	failures, err := v.failures, v.lastErr
	if failures == 0 {
		err = nil
	}
	k := kind(err)
	news := k != v.told || failures&(failures-1) == 0
	v.told = k
	v.mu.Unlock()
	if err != nil && v.plan.Tell != nil {
		v.plan.Tell(failures, err, news)
	}
}

// exhausted gives up after the last permitted failure.
func (v *Supervisor) exhausted() bool {
	v.mu.Lock()
	failures, err := v.failures, v.lastErr
	v.mu.Unlock()
	if v.plan.Attempts == 0 || failures < v.plan.Attempts {
		return false
	}
	v.plan.GiveUp(err)
	return true
}

// connected ends the run, unless the connection is lost already.
func (v *Supervisor) connected() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.again {
		v.again = false
		v.account(v.proven, v.cause)
		return false
	}
	v.running = false
	return true
}

func (v *Supervisor) fail(err error) {
	v.mu.Lock()
	v.failures++
	v.lastErr = err
	v.mu.Unlock()
	v.plan.Failed(err)
}

// pause waits for the back-off to pass, and reports false when nothing is to
// follow.
func (v *Supervisor) pause() bool {
	v.mu.Lock()
	failures := v.failures
	v.mu.Unlock()
	timer := time.NewTimer(v.plan.Backoff.Delay(max(0, failures-1), rand.Float64()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-v.kick:
	case <-v.ctx.Done():
	}
	return v.ctx.Err() == nil
}

// attempt tries the endpoints in turn, each for up to the timeout.
func (v *Supervisor) attempt() error {
	select {
	case <-v.kick: // this attempt is what the kick asked for
	default:
	}
	v.moveOn()
	endpoints, err := v.endpoints()
	if err != nil {
		return err
	}
	for range endpoints {
		v.mu.Lock()
		addr := endpoints[v.next%len(endpoints)]
		v.mu.Unlock()
		if err = v.dial(addr); err == nil || v.ctx.Err() != nil {
			return err
		}
		v.mu.Lock()
		v.next++
		v.mu.Unlock()
	}
	return err
}

// moveOn leaves the endpoint of a connection that was not proven, unless that alone is of use.
func (v *Supervisor) moveOn() {
	stays := v.plan.Stays != nil && v.plan.Stays() // without mu, which may be taken while it is blocked
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.unproven && !stays {
		v.next++
	}
	v.unproven = false
}

func (v *Supervisor) dial(addr string) error {
	ctx, cancel := context.WithTimeout(v.ctx, v.plan.Timeout)
	defer cancel()
	return v.plan.Dial(ctx, addr)
}
