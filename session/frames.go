package session

import (
	"bytes"
	"encoding/binary"
	"sync"

	"github.com/netasync/netasync/codec"
)

const (
	// copyLimit is the size in bytes up to which a payload is copied next to its header. Larger
	// ones go to the socket by reference.
	copyLimit = 4 << 10
	// keptBytes is how much memory of empty frames is used again: with less than a busy consumer's
	// batch takes, it would be made, grown and copied for every batch.
	keptBytes = 256 << 10
	// keptSizes is how many sizes of empty frames are used again.
	keptSizes = 1024
	// writeBytes bounds the copied frames in one write.
	writeBytes = 64 << 10
	// plainHeader is the size of a header on the default wire.
	plainHeader = 4
	// writeSegments bounds the slices of one write, well below IOV_MAX.
	writeSegments = 64
)

// frames is a row of outbound frames in the form in which they are written. They are encoded when
// a message is queued, so that to write many costs no more than to write one.
type frames struct {
	buf    []byte // headers and small payloads, from the first frame on
	start  int    // where that frame begins in buf
	large  []large
	sizes  []size // of the frames, in order
	first  int    // of sizes, which has frames left
	offset int    // bytes of the first frame that the link has taken

	wire     int // bytes of all frames
	messages int // frames that are no heartbeats
	bytes    int // their payload

	words bool // they are first words, which count nowhere; of a row of kept

	segments [][]byte // memory for what one write is made of
}

// large is a payload by reference, or a whole frame that is shared; it comes behind buf[:at].
type large struct {
	at      int
	payload []byte
	lent    bool // it is valid for the turn only
	copied  bool // it is memory of assembling, for another one when the peer has this
}

// framesPool has empty ones. Whatever is next on the same processor finds their memory in the
// cache, and an idle session has none.
var framesPool = sync.Pool{New: func() any { return new(frames) }}

// add appends a frame; an empty one is a heartbeat.
func (fs *frames) add(f *codec.Format, payload []byte) {
	n, at := len(payload), len(fs.buf)
	last, wire := len(fs.sizes)-1, plainHeader+n
	if last < fs.first || n == 0 || n > copyLimit || wire > cap(fs.buf)-at || *f != (codec.Format{}) {
		fs.addAny(f, payload)
		return
	}
	s := &fs.sizes[last] // most are small, and as large as the one before: worth a shorter way
	if int(s.payload) != n || s.form != copied || s.source != 0 {
		fs.addAny(f, payload)
		return
	}
	s.frames++
	fs.wire += wire
	fs.messages++
	fs.bytes += n
	fs.buf = fs.buf[:at+wire]
	binary.BigEndian.PutUint32(fs.buf[at:], uint32(n))
	copy(fs.buf[at+plainHeader:], payload)
}

// addAny is add for any frame.
func (fs *frames) addAny(f *codec.Format, payload []byte) {
	at := len(fs.buf)
	fs.buf = f.AppendHeader(fs.buf, len(payload))
	s := size{payload: uint32(len(payload)), frames: 1, header: uint8(len(fs.buf) - at)}
	if len(payload) <= copyLimit {
		fs.buf = append(fs.buf, payload...)
	} else {
		s.form = referred
		fs.large = append(fs.large, large{at: len(fs.buf), payload: payload})
	}
	fs.count(s)
}

// empty reports whether there is nothing to write; no frames are empty ones.
func (fs *frames) empty() bool { return fs == nil || fs.wire == 0 }

// begun reports whether the link has taken a part of a message.
func (fs *frames) begun() bool {
	return !fs.empty() && fs.offset > 0 && fs.sizes[fs.first].payload > 0
}

// next returns what is to be written next, in order, from the bytes that the link has not taken: at
// most writeBytes of buf and writeSegments slices. The slices are the caller's until it calls next
// again.
func (fs *frames) next() [][]byte {
	s, pos, end := fs.segments[:0], fs.start, min(len(fs.buf), fs.start+fs.offset+writeBytes)
	for _, l := range fs.large {
		if l.at > end || len(s)+2 >= writeSegments {
			end = min(end, l.at)
			break
		}
		if pos < l.at {
			s = append(s, fs.buf[pos:l.at])
		}
		s = append(s, l.payload)
		pos = l.at
	}
	if pos < end {
		s = append(s, fs.buf[pos:end])
	}
	fs.segments = s
	return skip(s, fs.offset)
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

// advance says that the link has taken n more bytes: frames that are wholly written go away. It
// returns how many messages they were, and their payload bytes.
func (fs *frames) advance(n int) (messages, bytes int) {
	clear(fs.segments) // they would keep large payloads
	fs.offset += n
	messages, bytes = fs.messages, fs.bytes
	if fs.offset == fs.wire {
		fs.wire = 0
		return messages, bytes
	}
	for fs.offset >= fs.sizes[fs.first].wire() {
		fs.offset -= fs.sizes[fs.first].wire()
		fs.dropFirst()
	}
	return messages - fs.messages, bytes - fs.bytes
}

// dropFirst removes the first frame.
func (fs *frames) dropFirst() {
	s := &fs.sizes[fs.first]
	fs.start += s.inBuf()
	if s.form != copied {
		fs.large[0] = large{}
		fs.large = fs.large[1:]
	}
	fs.forget(s)
	if s.frames == 0 {
		fs.first++
	}
}

// dropNewest removes the last frame, which is a message, and returns the bytes of its payload.
func (fs *frames) dropNewest() (bytes int) {
	s := fs.last()
	if s.form != copied {
		fs.large[len(fs.large)-1] = large{}
		fs.large = fs.large[:len(fs.large)-1]
	}
	fs.buf = fs.buf[:len(fs.buf)-s.inBuf()]
	fs.forget(s)
	if s.frames == 0 {
		fs.sizes = fs.sizes[:len(fs.sizes)-1]
	}
	return int(s.payload)
}

// last returns the size of the last frame.
func (fs *frames) last() *size { return &fs.sizes[len(fs.sizes)-1] }

// forget takes a frame of a size out of the counts.
func (fs *frames) forget(s *size) {
	s.frames--
	fs.wire -= s.wire()
	if s.payload > 0 {
		fs.messages--
		fs.bytes -= int(s.payload)
	}
}

// dropOldest removes the first message, and a heartbeat before it: the message behind that says
// as much. It returns the bytes of the message's payload. The link has taken none of the frames.
func (fs *frames) dropOldest() (bytes int) {
	before := fs.bytes
	for messages := fs.messages; fs.messages == messages; {
		fs.dropFirst()
	}
	fs.compact()
	return before - fs.bytes
}

// compact sees to it that the memory of frames that are gone is used again, once it is the larger part.
func (fs *frames) compact() {
	if fs.start > len(fs.buf)/2 {
		fs.buf = fs.buf[:copy(fs.buf, fs.buf[fs.start:])]
		for i := range fs.large {
			fs.large[i].at -= fs.start
		}
		fs.start = 0
	}
	if fs.first > len(fs.sizes)/2 {
		fs.sizes = fs.sizes[:copy(fs.sizes, fs.sizes[fs.first:])]
		fs.first = 0
	}
}

// rewound returns the frames with none of their bytes taken and without a heartbeat, which can
// only be the first; nil if there are none.
func (fs *frames) rewound() *frames {
	if fs.empty() {
		return nil
	}
	fs.offset = 0
	if fs.sizes[fs.first].payload == 0 {
		fs.dropFirst()
	}
	if fs.empty() {
		fs.free()
		return nil
	}
	return fs
}

// own copies the payloads that are only lent.
func (fs *frames) own() {
	if fs == nil {
		return
	}
	for i := range fs.large {
		if l := &fs.large[i]; l.lent {
			l.payload, l.lent = bytes.Clone(l.payload), false
		}
	}
}

// free gives empty frames to the next session that needs some.
func (fs *frames) free() {
	if cap(fs.buf) > keptBytes || cap(fs.sizes) > keptSizes {
		return
	}
	clear(fs.large)
	*fs = frames{
		buf: fs.buf[:0], large: fs.large[:0], sizes: fs.sizes[:0],
		segments: fs.segments[:0],
	}
	framesPool.Put(fs)
}
