package session

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
)

// inbox is the inbound queue: events on their way from a connection to the user. One goroutine at
// a time fills it. Every event leaves it once, to one of three consumers: the receiver behind
// Recv, the outlet behind ReadChan, or the runner of callbacks.
//
// Lock order: Session.mu, then receiver.mu, then mu.
type inbox struct {
	limit *Buffer
	kept  block // of all runs that are not lent

	mu       sync.Mutex // guards all below
	conn     *Conn      // the current connection; messages of others are refused. nil: none
	queue    *queue     // nil if empty
	messages int        // in queue
	bytes    int        // of payload in queue
	carried  bool       // the last connection has carried a message, or ended within one for good
	ended    bool       // Closed was queued
	ready    signal     // Recv callers wait for events
	room     signal     // the connection's reader waits for room

	received, receivedBytes, dropped uint64
	summed                           bool // the session has closed, and these are in the totals

	outlet   *outlet // nil until ReadChan is called
	runner   *runner // nil without OnEvent
	receiver atomic.Pointer[receiver]
}

// push hands messages to the outlet as long as nothing is before them, and queues the others,
// given the bytes of their payload. A lossy policy looks at each of them. The caller holds mu.
func (in *inbox) push(it *item, payload int) {
	payload, done := in.pass(it, payload)
	if done {
		return
	}
	if in.limit.Policy == PolicyFixed {
		in.add(it, payload)
		return
	}
	for left := it.messages(); left > 0; left-- {
		framed := it.frames > 0
		m := it.cut()
		if !in.makeRoom() {
			continue
		}
		if framed { // a copy: it must not hold the memory of those that are dropped
			m = bytes.Clone(m)
		}
		in.add(&item{epoch: it.epoch, run: run{data: m}}, len(m))
	}
}

// pass hands what it can to the outlet, if nothing is before it. It returns the bytes of payload
// that are left, and whether nothing is. The caller holds mu.
func (in *inbox) pass(it *item, payload int) (left int, done bool) {
	if in.outlet == nil || in.outlet.pumping || !in.queue.empty() {
		return payload, false
	}
	sent, done := in.outlet.push(it)
	return payload - sent, done
}

// add queues messages, or a lifecycle event. The caller holds mu.
func (in *inbox) add(it *item, payload int) {
	if in.queue == nil {
		in.queue = queues.Get().(*queue)
	}
	in.queue.push(it)
	if it.lifecycle == nil {
		in.messages += it.messages()
		in.bytes += payload
	}
}

// makeRoom applies a lossy policy to a full queue and reports whether there is room for the next
// message. The caller holds mu.
func (in *inbox) makeRoom() bool {
	for in.full() {
		in.dropped++
		if in.limit.Policy == PolicyDropping {
			return false
		}
		payload, place := in.queue.dropOldest()
		in.messages--
		in.bytes -= len(payload)
		if in.crowded() {
			in.queue.forgetConnection(place)
		}
	}
	return true
}

// maxLifecycle is how many lifecycle events wait in a lossy buffer before it forgets connections
// of which it has dropped all messages.
const maxLifecycle = 128

// crowded reports whether a lossy buffer forgets such connections. The caller holds mu.
func (in *inbox) crowded() bool {
	return in.limit.Policy != PolicyFixed && in.queue.size()-in.messages > maxLifecycle
}

// lifecycle queues Disconnected or Closed, which are never refused.
func (in *inbox) lifecycle(ev Event) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.ended = ev.Kind == Closed
	if errors.Is(ev.Err, ErrUndeliverable) && (in.queue.empty() || in.queue.size() < in.limit.Cap+maxLifecycle) {
		in.carried = true // the event is worth as much as a message
	}
	in.addLifecycle(ev)
	if in.ended && in.outlet != nil {
		in.outlet.end()
	}
}

// end says that there are no events and will be none: the user has not heard of the session.
func (in *inbox) end() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.ended = true
	if in.outlet != nil {
		in.outlet.end()
	}
	in.ready.wake()
}

// addLifecycle hands a lifecycle event on, or queues it. The caller holds mu.
func (in *inbox) addLifecycle(ev Event) {
	it := item{lifecycle: &ev}
	if _, done := in.pass(&it, 0); !done {
		in.add(&it, 0)
	}
	in.announce()
}

// announce tells a consumer other than the runner that events are there. The caller holds mu.
func (in *inbox) announce() {
	switch {
	case in.queue.empty():
	case in.outlet == nil:
		in.ready.wake()
	case !in.outlet.pumping:
		in.outlet.pumping = true
		go in.outlet.pump()
	}
}

// take moves queued events into a batch, and makes room: all of them, or one where a policy must
// be free to drop the others. The caller holds mu, and frees the batch when it is empty.
func (in *inbox) take() (batch *queue) {
	if in.limit.Policy == PolicyFixed {
		batch, in.queue = in.queue, nil
		in.messages, in.bytes = 0, 0
		in.room.wake()
		return batch
	}
	it := in.queue.popItem()
	if it.lifecycle == nil {
		in.messages--
		in.bytes -= len(it.data)
	}
	if in.queue.empty() {
		in.queue.free()
		in.queue = nil
	}
	batch = queues.Get().(*queue)
	batch.push(&it)
	return batch
}

// takeAny is take, if there are any events.
func (in *inbox) takeAny() *queue {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.queue.empty() {
		return nil
	}
	return in.take()
}

// hasReceived reports whether any message has come.
func (in *inbox) hasReceived() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.received > 0
}

// allTaken reports whether the consumer has taken everything, and has nothing in hand as far as can be
// known: what came off the read channel cannot.
func (in *inbox) allTaken() bool {
	if r := in.receiver.Load(); r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.batch.empty() || len(r.shelf) > 0 || r.lent > 0 {
			return false
		}
	}
	return in.caughtUp() && !in.unreadInChan()
}

// caughtUp reports whether the consumer has taken everything.
func (in *inbox) caughtUp() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.queue.empty() && (in.outlet == nil || !in.outlet.pumping) &&
		(in.runner == nil || !in.runner.running)
}
