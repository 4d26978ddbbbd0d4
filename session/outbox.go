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
	pending  stream
	inflight stream // was pending; its first frame may be partly written

	messages int // in both
	bytes    int // of their payload
	flushing bool
	room     signal // senders wait for room
}

// empty reports whether there is nothing to write.
func (o *outbox) empty() bool { return o.inflight.empty() && o.pending.empty() }

// add queues a message.
func (o *outbox) add(f codec.Format, m []byte) {
	o.pending.add(f, m)
	o.messages++
	o.bytes += len(m)
}

// dropOldest removes the first message that is pending.
func (o *outbox) dropOldest(f codec.Format) {
	bytes := o.pending.bytes
	o.pending.dropOldest(f)
	o.messages--
	o.bytes -= bytes - o.pending.bytes
}

// load gives the token holder something to write: what was left over, or all
// that is pending.
func (o *outbox) load() {
	if o.inflight.empty() {
		o.inflight, o.pending = o.pending, o.inflight
	}
}

// sent settles n more bytes that the link has taken: messages which are wholly
// written leave the queue. It returns their number and payload bytes.
func (o *outbox) sent(f codec.Format, n int) (messages, payload int) {
	messages, payload = o.inflight.advance(f, n)
	o.messages -= messages
	o.bytes -= payload
	return messages, payload
}

// rewind makes the queue ready for the next connection: what was not wholly
// written goes first and from its beginning, heartbeats of the old one go away.
func (o *outbox) rewind(f codec.Format) {
	var all stream
	o.inflight.moveTo(&all, f)
	o.pending.moveTo(&all, f)
	o.inflight, o.pending = stream{}, all
}

// keep copies what waits, for payloads that are only borrowed.
func (o *outbox) keep() {
	o.inflight.own()
	o.pending.own()
}

// trim gives back the memory of an idle queue.
func (o *outbox) trim() {
	if !o.flushing && o.empty() {
		o.pending, o.inflight = stream{}, stream{}
	}
}

// segmentLists is memory for what one write is made of.
var segmentLists = sync.Pool{New: func() any { s := make([][]byte, 0, batchSegments); return &s }}
