package session

import (
	"slices"
	"sync"
)

// item is a part of the inbound queue: a lifecycle event, or a run of messages.
type item struct {
	lifecycle *Event
	epoch     uint64 // of the messages
	run
}

// is reports whether the item is a lifecycle event of that kind.
func (it *item) is(kind EventKind) bool { return it.lifecycle != nil && it.lifecycle.Kind == kind }

// queue is a row of inbound events.
type queue struct {
	items []item
	first int    // of items, that was not taken out
	spent *block // of the run that pop took the last message of

	number uint64 // of a batch, see lend.go
}

// keptItems is how long an empty queue may be to be used again.
const keptItems = 256

// queues are empty ones, for those that are needed next: an idle session has none.
var queues = sync.Pool{New: func() any { return new(queue) }}

// free gives an empty queue to the next session that needs one.
func (q *queue) free() {
	if cap(q.items) <= keptItems {
		*q = queue{items: q.items[:0]}
		queues.Put(q)
	}
}

// empty reports whether there are no events; no queue is an empty one.
func (q *queue) empty() bool { return q == nil || q.first == len(q.items) }

// push appends an item.
func (q *queue) push(it *item) {
	if q.first > len(q.items)/2 { // the memory before it is used again
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	q.items = append(q.items, *it)
}

// pop takes the first event out and into ev, which is zero: events are too large to be returned
// by value from call to call. There must be one.
func (q *queue) pop(ev *Event) {
	if q.popWithin(ev) {
		return
	}
	it := q.popItem()
	if it.lifecycle != nil {
		*ev = *it.lifecycle
		return
	}
	ev.Kind, ev.Payload, ev.Epoch = Message, it.cut(), it.epoch
	q.spent = it.block
}

// popWithin is pop within a run, of which more is left; else it does nothing.
func (q *queue) popWithin(ev *Event) bool {
	if q.empty() {
		return false
	}
	it := &q.items[q.first]
	if it.frames <= 1 {
		return false
	}
	ev.Kind, ev.Epoch = Message, it.epoch
	ev.Payload, it.data = it.block.format.Cut(it.data)
	it.frames--
	return true
}

// more returns the run that comes next, if its messages differ from ev, which was popped before, by
// their payload alone; else nil. It is valid until the next pop.
func (q *queue) more(ev *Event) *item {
	if it := &q.items[q.first]; it.frames > 1 && ev.Kind == Message && it.epoch == ev.Epoch {
		return it
	}
	return nil
}

// popItem takes out the first item.
func (q *queue) popItem() item {
	it := q.items[q.first]
	q.items[q.first] = item{}
	q.first++
	return it
}

// dropOldest removes the first message of a queue that keeps messages one by one, and returns the
// place at which it was. Lifecycle events keep their order.
func (q *queue) dropOldest() (payload []byte, place int) {
	oldest := q.first
	for q.items[oldest].lifecycle != nil {
		oldest++
	}
	payload = q.items[oldest].data
	copy(q.items[q.first+1:oldest+1], q.items[q.first:oldest])
	q.popItem()
	return payload, oldest + 1
}

// size returns the number of items, which in a queue that keeps messages one by one are events.
func (q *queue) size() int { return len(q.items) - q.first }

// forgetConnection removes the Connected before a place and the Disconnected at it, if they are
// there with nothing in between, and a Connected behind them. Nothing is untrue without them: the
// epoch of that Connected tells that there were others.
func (q *queue) forgetConnection(place int) {
	if place-1 < q.first || place+1 >= len(q.items) {
		return
	}
	i := q.items[place-1 : place+2]
	if i[0].is(Connected) && i[1].is(Disconnected) && i[2].is(Connected) && i[1].lifecycle.Unsent == nil {
		first, last := i[0].lifecycle, i[2].lifecycle
		last.Resumed = last.Resumed && (first.Resumed || first.Epoch == 1)
		last.Lost += first.Lost
		q.items = slices.Delete(q.items, place-1, place+1)
	}
}

// unreadBuffers is how many write buffers' worth unread events may hand back.
const unreadBuffers = 4

// forgetUnsent keeps what unread events hand back within unreadBuffers of limit, as far as that goes by
// whole events: those before have none any more. It returns how many messages are forgotten.
func (q *queue) forgetUnsent(limit *Buffer) (forgotten int) {
	if q.empty() {
		return 0
	}
	messages, bytes := 0, 0
	for i := len(q.items) - 1; i >= q.first; i-- {
		ev := q.items[i].lifecycle
		if ev == nil || ev.Unsent == nil {
			continue
		}
		if !limit.full(messages/unreadBuffers, bytes/unreadBuffers) {
			messages += len(ev.Unsent)
			bytes += ev.size()
			continue
		}
		forgotten += len(ev.Unsent)
		ev.Unsent = nil
		q.forgetConnection(i)
	}
	return forgotten
}

// unread takes out everything, as events.
func (q *queue) unread() (events []Event) {
	for !q.empty() {
		events = append(events, Event{})
		q.pop(&events[len(events)-1])
	}
	return events
}
