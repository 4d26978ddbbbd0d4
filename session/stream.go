package session

import (
	"bytes"
	"sync"

	"github.com/netasync/netasync/codec"
)

const (
	// copyLimit is the size in bytes up to which a payload is copied next to its
	// header; larger ones go to the socket by reference.
	copyLimit = 4 << 10
	// keptBytes is how large a block may be to be used again.
	keptBytes = 64 << 10
)

// blocks are memory for messages that comes back: of streams that became empty, and
// of runs lent to callbacks. Who is next on the same processor finds it in the cache, and an
// idle session has none.
var blocks = sync.Pool{New: func() any { return new(block) }}

type block struct{ b []byte }

func (b *block) free() {
	if cap(b.b) <= keptBytes {
		b.b = b.b[:0]
		blocks.Put(b)
	}
}

// stream is a row of outbound frames in the form in which they are written. It
// is encoded when a message is queued, so that to write many costs no more than to write one.
type stream struct {
	*block         // headers and small payloads, from the first frame on; nil if there are none
	start  int     // where that frame begins in the block
	large  []large // payloads that are not in the block, in order
	offset int     // bytes of the first frame which the link has taken

	wire     int // bytes of all frames
	messages int // frames that are no heartbeats
	bytes    int // their payload
}

// large is a payload by reference; it comes behind block.b[:at].
type large struct {
	at      int
	payload []byte
}

// add appends a frame; an empty one is a heartbeat.
func (st *stream) add(f codec.Format, payload []byte) {
	if st.block == nil {
		st.block = blocks.Get().(*block)
	}
	before := len(st.b)
	st.b = f.AppendHeader(st.b, len(payload))
	if len(payload) <= copyLimit {
		st.b = append(st.b, payload...)
	} else {
		st.large = append(st.large, large{len(st.b), payload})
		st.wire += len(payload)
	}
	st.wire += len(st.b) - before
	if len(payload) > 0 {
		st.messages++
		st.bytes += len(payload)
	}
}

func (st *stream) empty() bool { return st.wire == 0 }

// segments appends what is to be written next to s, in order, from the bytes
// that the link has not taken: at most batchBytes of the block and batchSegments slices.
func (st *stream) segments(s [][]byte) [][]byte {
	pos, end := st.start, min(len(st.b), st.start+st.offset+batchBytes)
	for _, l := range st.large {
		if l.at > end || len(s)+2 >= batchSegments {
			end = min(end, l.at)
			break
		}
		s = append(s, st.b[pos:l.at], l.payload)
		pos = l.at
	}
	if pos < end {
		s = append(s, st.b[pos:end])
	}
	return skip(s, st.offset)
}

// advance settles n more bytes that the link has taken: frames that are
// wholly written leave the stream. It returns how many messages they were, and their payload bytes.
func (st *stream) advance(f codec.Format, n int) (messages, payload int) {
	st.offset += n
	if st.offset == st.wire {
		messages, payload = st.messages, st.bytes
		st.reset()
		return messages, payload
	}
	messages, payload = st.messages, st.bytes
	for {
		length, size := f.Header(st.b[st.start:])
		if st.offset < size+length {
			return messages - st.messages, payload - st.bytes
		}
		st.offset -= size + length
		st.drop(length, size)
	}
}

// drop removes the first frame, given its payload's and its header's size.
func (st *stream) drop(length, size int) (payload []byte) {
	st.start += size
	if length > copyLimit {
		payload = st.large[0].payload
		st.large[0] = large{}
		st.large = st.large[1:]
	} else {
		payload = st.b[st.start : st.start+length]
		st.start += length
	}
	st.wire -= size + length
	if length > 0 {
		st.messages--
		st.bytes -= length
	}
	return payload
}

// dropOldest removes the first message, and heartbeats before it: the message
// behind them says as much. None of the stream's bytes may have been taken.
func (st *stream) dropOldest(f codec.Format) {
	for messages := st.messages; st.messages == messages; {
		length, size := f.Header(st.b[st.start:])
		st.drop(length, size)
	}
	if st.start > len(st.b)/2 { // the memory before it is used again
		st.b = st.b[:copy(st.b, st.b[st.start:])]
		for i := range st.large {
			st.large[i].at -= st.start
		}
		st.start = 0
	}
}

// moveTo appends the messages to another stream, each from its beginning, and
// empties this one. Heartbeats go away.
func (st *stream) moveTo(other *stream, f codec.Format) {
	for st.messages > 0 {
		length, size := f.Header(st.b[st.start:])
		if payload := st.drop(length, size); length > 0 {
			other.add(f, payload)
		}
	}
	st.reset()
}

// own copies the payloads by reference, for those that are only borrowed.
func (st *stream) own() {
	for i := range st.large {
		st.large[i].payload = bytes.Clone(st.large[i].payload)
	}
}

// reset empties the stream.
func (st *stream) reset() {
	if st.block != nil {
		st.free()
	}
	clear(st.large)
	*st = stream{large: st.large[:0]}
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
