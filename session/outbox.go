package session

import (
	"sync"

	"github.com/netasync/netasync/codec"
)

const (
	// batchBytes bounds the copied frames in one write.
	batchBytes = 64 << 10
	// batchSegments bounds the slices of one write, well below IOV_MAX.
	batchSegments = 64
)

// outbox is the outbound queue. Senders append to pending; whoever holds the
// flushing token owns inflight, and is the only one to write to the link.
// Session.mu guards all fields, but inflight is the token holder's while
// flushing is set.
type outbox struct {
	pending  *stream // nil if empty
	inflight *stream // was pending; its first frame may be partly written. nil if empty

	messages int // in both
	bytes    int // of their payload
	flushing bool
	room     signal // senders wait for room
}

// empty reports whether there is nothing to write.
func (o *outbox) empty() bool { return o.inflight.empty() && o.pending.empty() }

// add queues a message, or a heartbeat.
func (o *outbox) add(f codec.Format, m []byte) {
	if o.pending == nil {
		o.pending = streams.Get().(*stream)
	}
	o.pending.add(f, m)
	if len(m) > 0 {
		o.messages++
		o.bytes += len(m)
	}
}

// waiting returns how many messages are pending, and the bytes of their payload.
func (o *outbox) waiting() (messages, bytes int) {
	if o.pending == nil {
		return 0, 0
	}
	return o.pending.messages, o.pending.bytes
}

// severalPending reports whether messages wait behind each other.
func (o *outbox) severalPending() bool {
	messages, _ := o.waiting()
	return messages > 1
}

// dropOldest removes the first message that is pending.
func (o *outbox) dropOldest(f codec.Format) {
	_, bytes := o.waiting()
	o.pending.dropOldest(f)
	o.messages--
	o.bytes -= bytes - o.pending.bytes
}

// load gives the token holder something to write: what was left over, or all
// that is pending.
func (o *outbox) load() {
	if o.inflight.empty() {
		o.inflight, o.pending = o.pending, nil
	}
}

// sent settles n more bytes that the link has taken: messages which are wholly
// written leave the queue. It returns their number and payload bytes.
func (o *outbox) sent(f codec.Format, n int) (messages, payload int) {
	messages, payload = o.inflight.advance(f, n)
	o.messages -= messages
	o.bytes -= payload
	if o.inflight.empty() {
		o.inflight.free()
		o.inflight = nil
	}
	return messages, payload
}

// rewind makes the queue ready for the next connection: what was not wholly
// written goes first and from its beginning, heartbeats of the old one go away. It
// returns how many messages were in flight.
func (o *outbox) rewind(f codec.Format) (again int) {
	if o.empty() {
		return 0
	}
	all := new(stream)
	o.inflight.moveTo(all, f)
	again = all.messages
	o.pending.moveTo(all, f)
	o.inflight.free()
	o.pending.free()
	o.inflight, o.pending = nil, all
	return again
}

// trim applies a lossy policy to what was in flight, too, now that it waits again, and
// returns how many messages it dropped.
func (o *outbox) trim(f codec.Format, limit *Buffer) (dropped int) {
	all := o.pending
	switch limit.Policy {
	case PolicyDropping:
		kept := new(stream)
		for all.messages > 0 && !limit.full(kept.messages, kept.bytes) {
			all.moveFirst(kept, f)
		}
		dropped = all.messages
		o.pending, o.messages, o.bytes = kept, kept.messages, kept.bytes
	case PolicySliding:
		for ; all.messages > limit.Cap || all.messages > 1 && all.bytes > limit.Bytes; dropped++ {
			o.dropOldest(f)
		}
	}
	return dropped
}

// keep copies what waits, for payloads that are only borrowed.
func (o *outbox) keep() {
	o.inflight.own()
	o.pending.own()
}

// segmentLists is memory for what one write is made of.
var segmentLists = sync.Pool{New: func() any { s := make([][]byte, 0, batchSegments); return &s }}
