package session

import (
	"bytes"
	"slices"
	"sync"

	"github.com/netasync/netasync/codec"
)

const (
	// copyLimit is the size in bytes up to which a payload is copied next to its
	// header; larger ones go to the socket by reference.
	copyLimit = 4 << 10
	// batchBytes is the room for copied frames in one write.
	batchBytes = 64 << 10
	// batchSegments bounds the slices of one write, well below IOV_MAX.
	batchSegments = 64
)

// outbox is the outbound queue. Senders append to pending; whoever holds the
// flushing token owns inflight, and is the only one to write to the link.
// Session.mu guards all fields, but inflight and offset are the token holder's
// while flushing is set. A nil message is a heartbeat.
type outbox struct {
	pending  [][]byte
	inflight [][]byte // taken from pending; its first frame may be partly written
	offset   int      // bytes of that frame which the link has taken

	messages int // in both, without heartbeats
	bytes    int // of their payload
	taken    int // messages in inflight
	flushing bool
	room     signal // senders wait for room
}

// empty reports whether there is nothing to write.
func (o *outbox) empty() bool { return len(o.inflight) == 0 && len(o.pending) == 0 }

// add queues a message.
func (o *outbox) add(m []byte) {
	o.pending = append(o.pending, m)
	o.messages++
	o.bytes += len(m)
}

// pendingBytes returns the payload bytes that wait behind what is in flight.
func (o *outbox) pendingBytes() int {
	n := o.bytes
	for _, m := range o.inflight {
		n -= len(m)
	}
	return n
}

// dropOldest removes the first message that is pending.
func (o *outbox) dropOldest() {
	for o.pending[0] == nil {
		o.pending = o.pending[1:] // a heartbeat; the message behind it says as much
	}
	o.messages--
	o.bytes -= len(o.pending[0])
	o.pending[0] = nil
	o.pending = o.pending[1:]
}

// load gives the token holder something to write: what was left over, or all
// that is pending.
func (o *outbox) load() {
	if len(o.inflight) == 0 {
		o.inflight, o.pending = o.pending, o.inflight
		o.taken = o.messages
	}
}

// sent settles n more bytes that the link has taken: messages which are wholly
// written leave the queue. It returns their number and payload bytes.
func (o *outbox) sent(f codec.Format, n int) (messages, payload int) {
	o.offset += n
	done := 0
	for _, m := range o.inflight {
		size := f.FrameLen(len(m))
		if o.offset < size {
			break
		}
		o.offset -= size
		done++
		payload += len(m)
		if m == nil {
			messages--
		}
	}
	messages += done
	clear(o.inflight[:done])
	if done == len(o.inflight) {
		o.inflight = o.inflight[:0]
	} else {
		o.inflight = o.inflight[done:]
	}
	o.messages -= messages
	o.taken -= messages
	o.bytes -= payload
	return messages, payload
}

// rewind makes the queue ready for the next connection: what was not wholly
// written goes first and from its beginning, heartbeats of the old one go away.
func (o *outbox) rewind() {
	isHeartbeat := func(m []byte) bool { return m == nil }
	o.pending = slices.DeleteFunc(slices.Concat(o.inflight, o.pending), isHeartbeat)
	o.inflight, o.offset, o.taken = nil, 0, 0
}

// keep copies what waits, for payloads that are only borrowed.
func (o *outbox) keep() {
	for _, q := range [][][]byte{o.inflight, o.pending} {
		for i, m := range q {
			q[i] = bytes.Clone(m)
		}
	}
}

// trim gives back the memory of an idle queue.
func (o *outbox) trim() {
	if !o.flushing && o.empty() {
		o.pending, o.inflight = nil, nil
	}
}

// batch is the scratch memory of one write.
type batch struct {
	small    []byte   // headers, and payloads of up to copyLimit
	segments [][]byte // what goes to the link, in order: pieces of small, large payloads
}

var batches = sync.Pool{New: func() any {
	return &batch{small: make([]byte, 0, batchBytes), segments: make([][]byte, 0, batchSegments)}
}}

// encode frames messages from the front of the queue, as many as fit, and
// leaves out the first offset bytes. The result is valid until release.
func (b *batch) encode(f codec.Format, messages [][]byte, offset int) [][]byte {
	small, start := b.small, 0
	for _, m := range messages {
		need := f.HeaderLen(len(m))
		byCopy := len(m) <= copyLimit
		if byCopy {
			need += len(m)
		}
		if len(small)+need > cap(small) || len(b.segments)+2 > batchSegments {
			break
		}
		small = f.AppendHeader(small, len(m))
		if byCopy {
			small = append(small, m...)
			continue
		}
		b.segments = append(b.segments, small[start:], m)
		start = len(small)
	}
	if start < len(small) {
		b.segments = append(b.segments, small[start:])
	}
	b.small = small
	return skip(b.segments, offset)
}

func (b *batch) release() {
	b.small = b.small[:0]
	clear(b.segments)
	b.segments = b.segments[:0]
	batches.Put(b)
}

// skip leaves out the first n bytes of a list of slices.
func skip(segments [][]byte, n int) [][]byte {
	for len(segments) > 0 && n >= len(segments[0]) {
		n -= len(segments[0])
		segments = segments[1:]
	}
	if n > 0 {
		segments[0] = segments[0][n:]
	}
	return segments
}
