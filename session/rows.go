package session

import (
	"bytes"
	"sync"
)

// These are the rows in which messages are kept, see kept: frames of which the link has taken nothing,
// and which have no heartbeats.

// rowsPool has empty rows, whose memory is no larger than twice rowBytes.
var rowsPool = sync.Pool{New: func() any { return new(frames) }}

// freeRow gives an empty row to the next session that needs one.
func freeRow(row *frames) {
	if cap(row.buf) <= 2*rowBytes && cap(row.sizes) <= keptSizes {
		clear(row.large)
		*row = frames{buf: row.buf[:0], large: row.large[:0], sizes: row.sizes[:0]}
		rowsPool.Put(row)
	}
}

// shrink lets go of memory that is of no use to a row, if that is most of it.
func (fs *frames) shrink() {
	if used := fs.buf[fs.start:]; len(used) <= cap(fs.buf)/4 {
		for i := range fs.large {
			fs.large[i].at -= fs.start
		}
		fs.buf, fs.start = bytes.Clone(used), 0
	}
}

// append appends copies of the frames of another row, of which the link has taken nothing, and which
// has no heartbeats.
func (fs *frames) append(other *frames) {
	base := len(fs.buf) - other.start
	fs.buf = append(fs.buf, other.buf[other.start:]...)
	for _, l := range other.large {
		l.at += base
		fs.large = append(fs.large, l)
	}
	for _, s := range other.sizes[other.first:] {
		fs.note(s)
	}
	fs.wire += other.wire
	fs.messages += other.messages
	fs.bytes += other.bytes
}

// clone returns a copy that shares large payloads.
func (fs *frames) clone() *frames {
	other := framesPool.Get().(*frames)
	other.append(fs)
	other.words = fs.words
	return other
}

// dropMessages removes the first n messages, and returns the bytes of their payload. There are no
// heartbeats. Memory of copies is used again if nothing refers to it: reuse says that nothing is being
// written.
func (fs *frames) dropMessages(n int, reuse bool) (bytes int) {
	before := fs.bytes
	for n > 0 {
		s := &fs.sizes[fs.first]
		if s.form != copied {
			if l := &fs.large[0]; reuse && l.copied {
				assembling.Put(l.payload)
			}
			fs.dropFirst()
			n--
			continue
		}
		small := min(n, int(s.frames)) // all at once, as there may be thousands
		n -= small
		s.frames -= uint32(small)
		fs.start += small * s.wire()
		fs.wire -= small * s.wire()
		fs.messages -= small
		fs.bytes -= small * int(s.payload)
		if s.frames == 0 {
			fs.first++
		}
	}
	return before - fs.bytes
}

// untouched returns how many messages the link has taken nothing of.
func (fs *frames) untouched() int {
	if fs.empty() {
		return 0
	}
	if fs.begun() {
		return fs.messages - 1
	}
	return fs.messages
}

// split moves messages from the beginning to a row of their own, as many as k has room for. There are
// no heartbeats, and the link has taken nothing.
func (fs *frames) split(k *kept) *frames {
	first := framesPool.Get().(*frames)
	for !fs.empty() && !k.cfg.Unacked.full(k.messages+first.messages, k.bytes+first.bytes) {
		fs.moveFirst(first)
	}
	fs.compact()
	return first
}

// moveFirst moves the first frame to another row.
func (fs *frames) moveFirst(to *frames) {
	s := fs.sizes[fs.first]
	to.buf = append(to.buf, fs.buf[fs.start:fs.start+s.inBuf()]...)
	if s.form != copied {
		l := fs.large[0]
		l.at = len(to.buf)
		to.large = append(to.large, l)
	}
	s.frames = 1
	to.count(s)
	fs.dropFirst()
}
