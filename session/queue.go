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

// push appends an item. A connection before it that carried no message is forgotten.
func (q *queue) push(it *item) {
	if q.first > len(q.items)/2 { // the memory before it is used again
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	q.items = append(q.items, *it)
	q.coalesce(len(q.items) - 1)
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

// popItem takes out the first item.
func (q *queue) popItem() item {
	it := q.items[q.first]
	q.items[q.first] = item{}
	q.first++
	return it
}

// dropOldest removes the first message of a queue that keeps messages one by one. Lifecycle
// events keep their place.
func (q *queue) dropOldest() (payload []byte) {
	oldest := q.first
	for q.items[oldest].lifecycle != nil {
		oldest++
	}
	payload = q.items[oldest].data
	copy(q.items[q.first+1:oldest+1], q.items[q.first:oldest])
	q.popItem()
	q.coalesce(oldest + 2) // it may have been the only message of a connection
	return payload
}

// coalesce forgets the connection before the Connected at i, if it carried no message and its end
// was not read either: nothing is untrue without it, and a session that nobody reads stays small
// however often it reconnects. The epoch of the Connected tells that there were others.
func (q *queue) coalesce(i int) {
	if i-2 < q.first || i >= len(q.items) || !q.items[i].is(Connected) {
		return
	}
	if q.items[i-1].is(Disconnected) && q.items[i-2].is(Connected) {
		q.items = slices.Delete(q.items, i-2, i)
	}
}

// rest takes out everything, as events.
func (q *queue) rest() (events []Event) {
	for !q.empty() {
		events = append(events, Event{})
		q.pop(&events[len(events)-1])
	}
	return events
}
