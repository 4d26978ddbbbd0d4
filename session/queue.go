package session

import (
	"math/bits"
	"sync"

	"github.com/netasync/netasync/codec"
)

// item is a part of the inbound queue: a lifecycle event, a message, or a run
// of small messages, back to back as they came.
type item struct {
	lifecycle *Event
	data      []byte // a payload, or whole frames that are not empty
	frames    int    // of which data consists; 0 if it is a payload
	epoch     uint64
	block     *block // data's memory, if it is ours again after the run's last callback
}

// event returns the event of an item that is no run.
func (it *item) event() Event {
	if it.lifecycle != nil {
		return *it.lifecycle
	}
	return Event{Kind: Message, Payload: it.data, Epoch: it.epoch}
}

// cut takes the first message off a run.
func (it *item) cut(f codec.Format) (payload []byte) {
	payload, it.data = f.Cut(it.data)
	it.frames--
	return payload
}

// payload returns the bytes of payload in a run.
func (it *item) payload(f codec.Format) (bytes int) {
	for frames := it.data; len(frames) > 0; {
		var payload []byte
		payload, frames = f.Cut(frames)
		bytes += len(payload)
	}
	return bytes
}

// queue is a row of inbound events. The messages of a run become events only
// when they are taken out.
type queue struct {
	items []item
	first int    // of items, that was not taken out
	spent *block // of the run that pop took the last message of
}

// keptItems is how long an empty queue may be to be used again.
const keptItems = 256

// queues are empty ones, for those who need one next: an idle session has none.
var queues = sync.Pool{New: func() any { return new(queue) }}

// free gives an empty queue to the next who needs one.
func (q *queue) free() {
	if cap(q.items) <= keptItems {
		*q = queue{items: q.items[:0]}
		queues.Put(q)
	}
}

// empty reports whether there are no events; no queue is an empty one.
func (q *queue) empty() bool { return q == nil || q.first == len(q.items) }

func (q *queue) push(it item) {
	if q.first > len(q.items)/2 { // the memory before it is used again
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	q.items = append(q.items, it)
}

// pop takes the first event out and into ev, which is zero: events are too large to be
// returned by value from call to call. There must be one.
func (q *queue) pop(ev *Event, f codec.Format) {
	it := &q.items[q.first]
	if it.frames > 0 {
		ev.Kind, ev.Payload, ev.Epoch = Message, it.cut(f), it.epoch
		if it.frames > 0 {
			return
		}
		q.spent = it.block
	} else {
		*ev = it.event()
	}
	q.popItem()
}

// cutRun is pop within a run, of which more is left; else it does nothing.
func (q *queue) cutRun(ev *Event, f codec.Format) bool {
	if q.empty() {
		return false
	}
	it := &q.items[q.first]
	if it.frames <= 1 {
		return false
	}
	ev.Kind, ev.Payload, ev.Epoch = Message, it.cut(f), it.epoch
	return true
}

// popItem takes out the first item.
func (q *queue) popItem() item {
	it := q.items[q.first]
	q.items[q.first] = item{}
	q.first++
	return it
}

// dropOldest removes the first message of a queue without runs. Lifecycle events keep their place.
func (q *queue) dropOldest() (payload []byte) {
	oldest := q.first
	for q.items[oldest].lifecycle != nil {
		oldest++
	}
	payload = q.items[oldest].data
	copy(q.items[q.first+1:oldest+1], q.items[q.first:oldest])
	q.popItem()
	return payload
}

// rest takes out everything, as events.
func (q *queue) rest(f codec.Format) (events []Event) {
	for !q.empty() {
		events = append(events, Event{})
		q.pop(&events[len(events)-1], f)
	}
	return events
}

// block is memory of a run that is lent to callbacks.
type block struct{ b []byte }

// Sizes of blocks, in bytes: powers of two, so that a run holds no more than twice its own size,
// or the least. What is larger than the most is not lent.
const (
	minBlockBits = 10
	maxBlockBits = 16
	mostLent     = 1 << maxBlockBits
)

// blocks are those that can be used again, by size.
var blocks [maxBlockBits - minBlockBits + 1]sync.Pool

// lend copies a run of at most mostLent bytes into a block.
func lend(run []byte) *block {
	size := max(minBlockBits, bits.Len(uint(len(run)-1)))
	b, _ := blocks[size-minBlockBits].Get().(*block)
	if b == nil {
		b = &block{make([]byte, 0, 1<<size)}
	}
	b.b = append(b.b, run...)
	return b
}

func (b *block) free() {
	size := bits.Len(uint(cap(b.b) - 1))
	b.b = b.b[:0]
	blocks[size-minBlockBits].Put(b)
}
