package call

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/netasync/netasync/session"
)

// caller has the calls of this end.
type caller struct {
	driver   session.Driver
	control  *control
	self     uint64 // the number of this end
	failFast bool
	places   chan struct{} // holds one for each of calls, and one for each that begins or is about to
	spare    sync.Pool     // of *waiter

	mu    sync.Mutex // guards all below. control.mu may be taken under it
	last  uint64     // call
	calls map[uint64]*waiter
	sent  uint64        // messages up to this one were sent to a peer that is gone, for the reason cause
	cause error         // ErrLost
	ended error         // the session has closed
	down  chan struct{} // closed while there is no connection
	up    bool          // down is open
}

// waiter is a call. caller.mu guards what changes.
type waiter struct {
	done   chan struct{} // gets one when reply or err is there
	number uint64        // of the request among the session's messages; 0: not known yet
	reply  []byte
	err    error
}

func newCaller(driver session.Driver, control *control, self uint64, o Options) *caller {
	return &caller{
		driver: driver, control: control, self: self, failFast: o.FailFast,
		places: make(chan struct{}, o.MaxCalls), calls: make(map[uint64]*waiter),
		down: make(chan struct{}), up: true,
	}
}

// call is Peer.Call.
func (c *caller) call(ctx context.Context, request []byte) ([]byte, error) {
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	id, w := c.begin()
	number, err := c.send(ctx, requestFrame(id, remaining(ctx), request))
	if err != nil {
		return nil, c.withdraw(id, w, err)
	}
	c.accepted(id, w, number)
	select {
	case <-w.done:
		return c.end(w)
	case <-ctx.Done():
		return c.giveUp(ctx, id, w)
	}
}

// remaining returns how long it is to ctx's deadline; 0 is none.
func remaining(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(1, time.Until(deadline)) // if it has passed, nothing is sent
}

// enter takes a place.
func (c *caller) enter(ctx context.Context) error {
	var down <-chan struct{}
	if c.failFast {
		switch c.driver.Session().State() {
		case session.StateConnected:
		case session.StateClosed:
			return c.closed()
		default:
			return session.ErrNotConnected
		}
		down = c.whenDown()
	}
	select {
	case c.places <- struct{}{}:
		return nil
	default:
	}
	select {
	case c.places <- struct{}{}:
		return nil
	case <-down:
		return session.ErrNotConnected
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave gives a place back.
func (c *caller) leave() { <-c.places }

func (c *caller) whenDown() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.down
}

// closed is what answers calls of a session that has closed.
func (c *caller) closed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		return session.ErrClosed
	}
	return c.ended
}

// begin makes a call, which has a place.
func (c *caller) begin() (callID, *waiter) {
	w, _ := c.spare.Get().(*waiter)
	if w == nil {
		w = &waiter{done: make(chan struct{}, 1)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	c.calls[c.last] = w
	return callID{c.self, c.last}, w
}

// send gives a request to the session.
func (c *caller) send(ctx context.Context, request []byte) (number uint64, err error) {
	if !c.failFast {
		return c.driver.SendNumbered(ctx, request)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if number, err = c.driver.TrySendNumbered(request); !errors.Is(err, session.ErrQueueFull) {
		return number, err
	}
	connected, cancel := context.WithCancel(ctx)
	defer cancel()
	go cancelWhen(connected, c.whenDown(), cancel)
	number, err = c.driver.SendNumbered(connected, request)
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		err = session.ErrNotConnected
	}
	return number, err
}

// cancelWhen ends a context when a channel is closed. It ends with the context.
func cancelWhen(ctx context.Context, closed <-chan struct{}, cancel context.CancelFunc) {
	select {
	case <-closed:
		cancel()
	case <-ctx.Done():
	}
}

// withdraw ends a call whose request the session has not taken.
func (c *caller) withdraw(id callID, w *waiter, err error) error {
	c.mu.Lock()
	if c.calls[id.call] == w {
		delete(c.calls, id.call)
		c.leave()
	}
	ended := c.ended
	c.mu.Unlock()
	if ended != nil && errors.Is(err, session.ErrClosed) {
		return ended
	}
	return err
}

// accepted notes which of the session's messages a request is. If its connection has ended meanwhile, or the
// session, it ends here.
func (c *caller) accepted(id callID, w *waiter, number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls[id.call] != w {
		return
	}
	w.number = number
	switch {
	case number <= c.sent:
		c.settle(id.call, w, nil, c.cause)
	case c.ended != nil:
		c.settle(id.call, w, nil, c.ended)
	}
}

// settle ends a call. The caller holds mu.
func (c *caller) settle(call uint64, w *waiter, reply []byte, err error) {
	delete(c.calls, call)
	c.leave()
	w.reply, w.err = reply, err
	w.done <- struct{}{} // has room, also if the call was given up
}

// end returns what has come of a call, whose waiter is used again.
func (c *caller) end(w *waiter) (reply []byte, err error) {
	reply, err = w.reply, w.err
	*w = waiter{done: w.done}
	c.spare.Put(w)
	return reply, err
}

// giveUp ends a call whose ctx has ended. If it has ended anyway, that counts. Else its place is held until
// the peer has answered.
func (c *caller) giveUp(ctx context.Context, id callID, w *waiter) ([]byte, error) {
	c.mu.Lock()
	if c.calls[id.call] != w {
		c.mu.Unlock()
		<-w.done
		return c.end(w)
	}
	c.control.cancel(id)
	c.mu.Unlock()
	return nil, fmt.Errorf("%w: %w", ErrLost, ctx.Err())
}
