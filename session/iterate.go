package session

import (
	"context"
	"io"
	"iter"
)

// Events returns the session's events as they come, up to Closed, or until ctx ends: it is Recv for
// a loop, and the cheapest way to consume that may block. With OnEvent there are none.
//
// A loop takes what is queued as one batch. What it has in hand when it ends goes back, in order and
// to the front, and is what the next loop, Recv or ReadChan gets. Several loops may run at once, also
// beside Recv and ReadChan: every event reaches one of them. But what Recv, in the body of a loop,
// returns comes behind what that loop has in hand; and when ReadChan is called for the first time,
// its channel gets nothing before the bodies that run at that moment have returned.
func (s *Session) Events(ctx context.Context) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		c := cursor{s: s, ctx: ctx, done: ctx.Done()}
		defer c.release()
		for ev := (Event{}); c.next(&ev); {
			if !yield(ev) {
				return
			}
		}
	}
}

// Messages returns the messages from the peer, whatever connection they come on, with a nil error
// each. If the session has closed with an error, if ctx has ended, or with OnEvent, the last pair is
// (nil, that error): Closed's Err, which is io.EOF where the peer has ended an accepted session; ctx's;
// or ErrCallbacks. After an end of our own, with no error, there is no such pair.
// Other events are skipped. What is said of Events holds for this, too.
func (s *Session) Messages(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		c := cursor{s: s, ctx: ctx, done: ctx.Done()}
		defer c.release()
		for payload, ok := c.message(); ok; payload, ok = c.message() {
			if !yield(payload, nil) {
				return
			}
		}
		c.release()
		if err := c.reason(); err != nil {
			yield(nil, err)
		}
	}
}

// cursor is a loop over a session's events. It has a batch in hand of which it takes event after
// event without a lock. It lies on the stack of the user's goroutine while that is in the body, and so it
// is small: no event is in it.
type cursor struct {
	s    *Session
	ctx  context.Context
	done <-chan struct{} // ctx's; nil if that never ends
	r    *receiver       // nil before the first event
	o    *outlet         // nil unless the events come by the read channel
	held *queue          // the batch in hand, lent by r; nil: none
	row  *item           // of held: what comes next are messages of it; nil: ask held
	owed bool            // there were further events in hand: what was sent may be corked
	err  error           // why there are no more; io.EOF after Closed
}

// next gets the next event into ev, which has the one before, and waits for it. It reports false at the
// end.
func (c *cursor) next(ev *Event) bool {
	if payload, ok := c.cut(); ok {
		ev.Payload = payload
		return true
	}
	return c.ready() && c.take(ev)
}

// message gets the next message, and waits for it. It reports false at the end.
func (c *cursor) message() (payload []byte, ok bool) {
	if payload, ok = c.cut(); ok {
		return payload, ok
	}
	for payload == nil && c.ready() {
		if payload, ok = c.takeMessage(); !ok {
			break
		}
	}
	return payload, payload != nil
}

// cut takes the next message off a row of which more is in hand, as most events are. All of them differ
// from the event before by their payload alone.
func (c *cursor) cut() (payload []byte, ok bool) {
	it := c.row
	if it == nil || it.frames <= 1 || c.interrupted() {
		return nil, false
	}
	payload, it.data = it.block.format.Cut(it.data)
	it.frames--
	return payload, true
}

// takeMessage is take for who wants messages alone: for other events it returns nil. It is a function of
// its own so that there is no event on the stack of one that waits.
//
//go:noinline
func (c *cursor) takeMessage() (payload []byte, ok bool) {
	var ev Event
	ok = c.take(&ev)
	return ev.Payload, ok
}

// ready waits until there is an event in hand, or until events come by the outlet. It reports false at the
// end.
func (c *cursor) ready() bool {
	c.row = nil
	for c.held.empty() || c.interrupted() {
		if c.o != nil && c.held == nil {
			return true
		}
		c.release()
		if !c.mayGoOn() || !c.load() {
			return false
		}
	}
	return true
}

// take takes an event that is in hand, or waits for one of the outlet. It reports false at the end.
func (c *cursor) take(ev *Event) bool {
	if c.held == nil {
		c.err = c.o.recv(c.ctx, ev)
		return c.err == nil
	}
	*ev = Event{}
	c.held.pop(ev)
	if c.s.inHand(c.held) {
		c.owed = true
		c.row = c.held.more(ev)
	}
	return true
}

// interrupted reports whether the batch in hand is to be given back: ctx has ended, or ReadChan was
// called.
func (c *cursor) interrupted() bool {
	if c.done != nil {
		select {
		case <-c.done:
			return true
		default:
		}
	}
	return c.r.changes.Load()
}

// mayGoOn makes ready to wait. It reports false at the end.
func (c *cursor) mayGoOn() bool {
	if c.err == nil && c.done != nil {
		c.err = c.ctx.Err()
	}
	if c.err == nil && c.r == nil {
		c.r, c.err = c.s.newReceiver()
	}
	return c.err == nil
}

// load waits for the next batch, or for the outlet. It reports false at the end.
func (c *cursor) load() bool {
	woken := false
	if c.o, woken, c.err = c.s.await(c.ctx, c.r); c.err != nil || c.o != nil {
		return c.err == nil
	}
	c.borrow(woken)
	return true
}

// borrow takes the receiver's batch. The caller holds r.mu, and borrow releases it.
func (c *cursor) borrow(woken bool) {
	c.held = c.r.lend()
	more := !c.r.batch.empty()
	c.r.mu.Unlock()
	if woken && more {
		c.s.in.wakeReceiver() // the wake-up goes on to the next that waits
	}
}

// release gives back what is in hand, and has what was sent meanwhile written.
func (c *cursor) release() {
	if c.held != nil {
		if !c.held.empty() {
			c.s.hand.Store(uint32(alone))
		}
		c.s.in.takeBack(c.r, c.held)
		c.held = nil
	}
	if c.owed {
		c.owed = false
		c.s.uncork()
	}
}

// reason returns the error that ended the loop, or with which the session has closed.
func (c *cursor) reason() error {
	if c.err != io.EOF { //nolint:errorlint // it is ours, and never wrapped
		return c.err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.s.cause
}
