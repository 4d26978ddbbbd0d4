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
	// keptBytes is how much memory of an empty stream is used again.
	keptBytes = 64 << 10
)

// stream is a row of outbound frames in the form in which they are written. It
// is encoded when a message is queued, so that to write many costs no more than to write one.
type stream struct {
	buf    []byte  // headers and small payloads, from the first frame on
	start  int     // where that frame begins in buf
	large  []large // payloads that are not in buf, in order
	offset int     // bytes of the first frame which the link has taken

	wire     int // bytes of all frames
	messages int // frames that are no heartbeats
	bytes    int // their payload
}

// streams are empty ones. Who is next on the same processor finds their
// memory in the cache, and an idle session has none.
var streams = sync.Pool{New: func() any { return new(stream) }}

// large is a payload by reference; it comes behind buf[:at].
type large struct {
	at      int
	payload []byte
}

// add appends a frame; an empty one is a heartbeat.
func (st *stream) add(f codec.Format, payload []byte) {
	buf := f.AppendHeader(st.buf, len(payload))
	if len(payload) <= copyLimit {
		buf = append(buf, payload...)
	} else {
		st.large = append(st.large, large{len(buf), payload})
		st.wire += len(payload)
	}
	st.wire += len(buf) - len(st.buf)
	st.buf = buf
	if len(payload) > 0 {
		st.messages++
		st.bytes += len(payload)
	}
}

// empty reports whether there is nothing to write; no stream is an empty one.
func (st *stream) empty() bool { return st == nil || st.wire == 0 }

// segments appends what is to be written next to s, in order, from the bytes
// that the link has not taken: at most batchBytes of buf and batchSegments slices.
func (st *stream) segments(s [][]byte) [][]byte {
	pos, end := st.start, min(len(st.buf), st.start+st.offset+batchBytes)
	for _, l := range st.large {
		if l.at > end || len(s)+2 >= batchSegments {
			end = min(end, l.at)
			break
		}
		s = append(s, st.buf[pos:l.at], l.payload)
		pos = l.at
	}
	if pos < end {
		s = append(s, st.buf[pos:end])
	}
	return skip(s, st.offset)
}

// advance settles n more bytes that the link has taken: frames that are
// wholly written leave the stream. It returns how many messages they were, and their payload bytes.
func (st *stream) advance(f codec.Format, n int) (messages, payload int) {
	st.offset += n
	messages, payload = st.messages, st.bytes
	if st.offset == st.wire {
		st.wire = 0
		return messages, payload
	}
	for {
		length, size := f.Header(st.buf[st.start:])
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
		payload = st.buf[st.start : st.start+length]
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
		length, size := f.Header(st.buf[st.start:])
		st.drop(length, size)
	}
	if st.start > len(st.buf)/2 { // the memory before it is used again
		st.buf = st.buf[:copy(st.buf, st.buf[st.start:])]
		for i := range st.large {
			st.large[i].at -= st.start
		}
		st.start = 0
	}
}

// moveTo appends the messages to another stream, each from its beginning.
// Heartbeats go away.
func (st *stream) moveTo(other *stream, f codec.Format) {
	for st != nil && st.messages > 0 {
		st.moveFirst(other, f)
	}
}

// moveFirst moves the first frame; a heartbeat goes away.
func (st *stream) moveFirst(other *stream, f codec.Format) {
	length, size := f.Header(st.buf[st.start:])
	if payload := st.drop(length, size); length > 0 {
		other.add(f, payload)
	}
}

// own copies the payloads by reference, for those that are only borrowed.
func (st *stream) own() {
	if st == nil {
		return
	}
	for i := range st.large {
		st.large[i].payload = bytes.Clone(st.large[i].payload)
	}
}

// free gives an empty stream, or none, to the next who needs one.
func (st *stream) free() {
	if st == nil || cap(st.buf) > keptBytes {
		return
	}
	clear(st.large)
	*st = stream{buf: st.buf[:0], large: st.large[:0]}
	streams.Put(st)
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
