package session

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/netasync/netasync/internal/weakchan"
)

// outlet is the consumer behind ReadChan: the channel, and the goroutine that brings what the
// channel has no room for. That exists while there is something to bring.
type outlet struct {
	c       chan Event
	bound   byteBound     // for the one that sends
	pumping bool          // pump is at work, and sends alone. inbox.mu guards it
	held    bool          // what is lent goes first: there is no pump yet. inbox.mu guards it
	ended   chan struct{} // closed by end: pump is to leave what is left to weakchan
	pump    func()        // inbox.pump; a closure each time would be an allocation
}

// noEvents is the read channel of all sessions with callbacks.
var noEvents = func() chan Event { c := make(chan Event); close(c); return c }()

// ReadChan returns the channel of the session's events, always the same one. The library closes
// it, once, after the Closed event. With OnEvent it carries nothing and is closed from the
// beginning.
func (s *Session) ReadChan() <-chan Event {
	if s.cfg.OnEvent != nil {
		return noEvents
	}
	in := s.in
	r, _ := s.newReceiver() // what that has in hand goes first
	r.mu.Lock()
	defer r.mu.Unlock()
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.outlet != nil {
		return in.outlet.c
	}
	slots := 0 // a lossy policy must see every event that waits
	if in.limit.Policy == PolicyFixed {
		slots = in.limit.slots(s.cfg.MaxPayload)
	}
	in.outlet = &outlet{
		c:     make(chan Event, slots),
		bound: newByteBound(in.limit.Bytes, slots),
		held:  true, pumping: true,
		ended: make(chan struct{}),
		pump:  in.pump,
	}
	s.hand.Store(uint32(alone))
	r.changes.Store(true)
	if r.lent == 0 {
		in.changeOver(r)
	}
	in.ready.wake() // a waiting Recv changes over to the channel
	return in.outlet.c
}

// requeue starts over with what waits for Recv. It was accepted, so no policy looks at it. The
// caller holds mu.
func (in *inbox) requeue(q *queue) {
	for ; !q.empty(); q.popItem() {
		it, payload := &q.items[q.first], 0
		if it.lifecycle == nil {
			payload = it.payload()
		}
		if left, done := in.pass(it, payload); !done {
			in.add(it, left)
		}
	}
}

// recv is Recv for a session whose events go through the channel.
func (o *outlet) recv(ctx context.Context, ev *Event) error {
	select {
	case next, open := <-o.c:
		if !open {
			return io.EOF
		}
		*ev = next
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// push sends an item as far as there is room. It returns the bytes of payload that were sent, and
// whether that is all. The caller holds inbox.mu, and pump is not at work.
func (o *outlet) push(it *item) (sent int, done bool) {
	if it.lifecycle != nil {
		return 0, o.send(it.lifecycle)
	}
	ev := Event{Kind: Message, Epoch: it.epoch}
	for {
		var rest []byte
		if ev.Payload, rest = it.peek(); !o.send(&ev) {
			return sent, false
		}
		sent += len(ev.Payload)
		if it.frames <= 1 {
			return sent, true
		}
		it.data = rest
		it.frames--
	}
}

// send sends an event, if there is room. An event is too large to be copied more often than into the
// channel.
func (o *outlet) send(ev *Event) bool {
	if !o.bound.fits(len(o.c), cap(o.c), ev.size()) {
		return false
	}
	select {
	case o.c <- *ev:
		return true
	default:
		return false
	}
}

// end says that Closed was queued, or that there are no events. The caller holds inbox.mu.
func (o *outlet) end() {
	switch {
	case o.held: // changeOver says it again
	case o.pumping:
		close(o.ended)
	default:
		close(o.c)
	}
}

// pump moves queued events into the read channel until the queue is empty. After Closed it does not
// wait for room: the user may have dropped the session without reading.
func (in *inbox) pump() {
	o := in.outlet
	for batch := in.nextForOutlet(); batch != nil; batch = in.nextForOutlet() {
		for !batch.empty() {
			var ev Event
			batch.pop(&ev)
			if !o.offer(&ev) {
				weakchan.Deliver(o.c, in.unread(ev, batch))
				return
			}
			if ev.Kind == Closed {
				close(o.c)
				return
			}
		}
		batch.free()
	}
}

// unreadInChan reports whether the read channel holds events.
func (in *inbox) unreadInChan() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.outlet != nil && len(in.outlet.c) > 0
}

// nextForOutlet takes the next batch for pump, or ends it: there is none.
func (in *inbox) nextForOutlet() *queue {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.queue.empty() {
		in.outlet.pumping = false
		if in.ended { // a loop over Events has had Closed
			close(in.outlet.c)
		}
		return nil
	}
	return in.take()
}

// unread returns what pump has not brought when the session has closed.
func (in *inbox) unread(ev Event, batch *queue) []Event {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.messages, in.bytes = 0, 0 // the read channel's from here on
	return slices.Concat([]Event{ev}, batch.unread(), in.queue.unread())
}

// offer sends ev when there is room. It reports false when the session has closed meanwhile.
func (o *outlet) offer(ev *Event) bool {
	for pause := offerPauseMin; !o.bound.fits(len(o.c), cap(o.c), ev.size()); {
		select { // a channel does not tell when it has been emptied
		case <-time.After(pause):
		case <-o.ended:
			return false
		}
		pause = min(pause+pause/4, offerPauseMax)
	}
	select {
	case o.c <- *ev:
		return true
	default:
	}
	select {
	case o.c <- *ev:
		return true
	case <-o.ended:
		return false
	}
}

// How often pump looks whether the channel has room for a large message. Each pause is a quarter
// longer than the one before, so that a consumer that was slow for a time waits at most for a
// quarter of that.
const (
	offerPauseMin = 50 * time.Microsecond
	offerPauseMax = 20 * time.Millisecond
)
