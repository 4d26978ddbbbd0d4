package session

import (
	"bytes"
	"slices"
	"sync"

	"github.com/netasync/netasync/codec"
)

// kept are the messages of a session with Resume that were taken to be written, and that the peer is
// not known to have. Session.mu guards it. A message has its number from here on, and no policy drops
// it any more. They are copies of what is written, except for large payloads, so that a writer and
// an acknowledgement do not get in each other's way.
type kept struct {
	limit  *Buffer // Config.Unacked
	format *codec.Format

	rows     []*frames // in order
	messages int       // in all rows
	bytes    int       // of their payload
	words    int       // of the messages, the first: those of Hello, which count nowhere else
	next     int       // rows[next:] are to be written again, before what is pending
	again    int       // messages in them
	acked    uint64    // numbers up to this one are with the peer

	control control // what goes between the messages

	live  bool // there is a connection, or there was until rewind
	begun int  // of the messages, the first: those that a connection that is over may have brought
}

// rowBytes is the size from which on a row takes no further messages.
const rowBytes = 32 << 10

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

// unacked returns how many messages of the user's are kept.
func (k *kept) unacked() int {
	if k == nil {
		return 0
	}
	return k.messages - k.words
}

// full reports whether no further message may be taken to be written.
func (k *kept) full() bool { return k.limit.full(k.messages, k.bytes) }

// fits reports whether all of some messages may be.
func (k *kept) fits(fs *frames) bool {
	return k.messages+fs.messages <= k.limit.Cap && k.bytes+fs.bytes <= k.limit.Bytes
}

// add keeps messages that are about to be written.
func (k *kept) add(fs *frames) {
	last := len(k.rows) - 1
	if last < 0 || len(k.rows[last].buf) >= rowBytes {
		k.rows = append(k.rows, rowsPool.Get().(*frames))
		last++
	}
	k.rows[last].append(fs)
	k.messages += fs.messages
	k.bytes += fs.bytes
	k.next = len(k.rows)
}

// addWords keeps the first words of a connection, before all others.
func (k *kept) addWords(fs *frames) {
	k.rows = slices.Insert(k.rows, 0, fs.clone())
	k.messages += fs.messages
	k.bytes += fs.bytes
	k.words += fs.messages
	k.next++
}

// repeat returns the next row that is to be written again.
func (k *kept) repeat() *frames {
	row := k.rows[k.next]
	k.next++
	k.again -= row.messages
	return row.clone()
}

// drop takes out the first n messages, and returns how many of them were the user's. reuse says that
// nothing is being written.
func (k *kept) drop(n int, reuse bool) (users int) {
	words := min(n, k.words)
	users = n - words
	k.words -= words
	k.begun = max(0, k.begun-n)
	k.messages -= n
	for n > 0 {
		row := k.rows[0]
		m := min(n, row.messages)
		k.bytes -= row.dropMessages(m, reuse)
		n -= m
		if k.next == 0 {
			k.again -= m
		}
		if row.messages > 0 {
			break
		}
		freeRow(row)
		k.rows[0] = nil
		k.rows = k.rows[1:]
		k.next = max(0, k.next-1)
	}
	if len(k.rows) == 0 {
		k.rows = nil
	}
	return users
}

// rewind ends a connection, given what it has left unwritten: everything is to be written again.
func (k *kept) rewind(unwritten ...*frames) {
	if !k.live {
		return
	}
	k.live = false
	k.begun = k.messages - k.again
	for _, fs := range unwritten {
		k.begun -= fs.untouched()
	}
	k.begun = max(0, k.begun) // less if the peer acknowledges what it does not have
	k.next, k.again = 0, k.messages
	for _, row := range k.rows { // it may last
		row.shrink()
	}
}

// carryOn begins a connection of a peer that has received so many messages. It returns how many of the
// user's that acknowledges.
func (k *kept) carryOn(received uint64) (users int) {
	users = k.drop(int(received-k.acked), false)
	k.acked, k.begun = received, 0
	return users
}

// startOver begins the numbers anew, for a peer that knows nothing of the session. What may be with
// it is lost, unless it is to be sent again. It returns how many of the user's messages may be with it.
func (k *kept) startOver(resend bool) (doubtful int) {
	doubtful = max(0, k.begun-k.words)
	if resend {
		k.drop(k.words, false)
	} else {
		k.drop(max(k.begun, k.words), false)
	}
	k.acked, k.begun = 0, 0
	return doubtful
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
		if last := len(fs.sizes) - 1; last >= fs.first && fs.sizes[last].header == s.header &&
			fs.sizes[last].payload == s.payload {
			fs.sizes[last].frames += s.frames
			continue
		}
		fs.sizes = append(fs.sizes, s)
	}
	fs.wire += other.wire
	fs.messages += other.messages
	fs.bytes += other.bytes
}

// clone returns a copy that shares large payloads.
func (fs *frames) clone() *frames {
	other := framesPool.Get().(*frames)
	other.append(fs)
	return other
}

// dropMessages removes the first n messages, and returns the bytes of their payload. There are no
// heartbeats. Memory of copies is used again if nothing refers to it: reuse says that nothing is being
// written.
func (fs *frames) dropMessages(n int, reuse bool) (bytes int) {
	before := fs.bytes
	for n > 0 {
		s := &fs.sizes[fs.first]
		if s.payload > copyLimit {
			if l := &fs.large[0]; reuse && l.copied {
				assembling.Put(l.payload)
			}
			fs.dropFirst()
			n--
			continue
		}
		small := min(n, s.frames) // all at once, as there may be thousands
		n -= small
		s.frames -= small
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
	for !fs.empty() && !k.limit.full(k.messages+first.messages, k.bytes+first.bytes) {
		first.add(k.format, fs.firstPayload())
		fs.dropFirst()
	}
	fs.compact()
	return first
}

// firstPayload returns the payload of the first frame.
func (fs *frames) firstPayload() []byte {
	s := &fs.sizes[fs.first]
	if s.payload > copyLimit {
		return fs.large[0].payload
	}
	at := fs.start + int(s.header)
	return fs.buf[at : at+int(s.payload)]
}

// whatIsLeft returns what is left to be done for messages. The caller holds mu.
func (s *Session) whatIsLeft() leftover {
	o, k := &s.out, s.out.kept
	if k == nil {
		if o.messages > 0 {
			return toWrite
		}
		return none
	}
	says := s.begun() && s.phase >= sealed && !s.conn.acks.parted // goodbye
	if says && !s.conn.acks.byeSaid {
		k.control.bye = true
	}
	if says && s.conn.acks.byeHeard && s.conn.acks.news() > 0 {
		k.control.ack = true // the last one: what comes later is thrown away
	}
	switch {
	case o.ready() || says && (k.control.bye && o.written() || k.control.ack && s.conn.acks.byeHeard):
		return toWrite
	case o.queued() > 0 || says && !s.conn.acks.byeHeard || s.conn == nil && s.resume.owesBye:
		return toAwait
	}
	return none
}

// loseKept ends what is kept, as the session closes: what may be with the peer is doubtful, and all
// else was never sent. The caller holds mu.
func (s *Session) loseKept() {
	o, k := &s.out, s.out.kept
	if k == nil {
		return
	}
	o.rewind()
	o.doubtful = k.startOver(false)
	s.stats.lost += uint64(o.doubtful)
	o.messages += k.messages
	o.bytes += k.bytes
	if s.cfg.WhileDown == Refuse { // all of that is handed back
		all := new(frames)
		for _, row := range append(k.rows, o.pending) {
			if !row.empty() {
				all.append(row)
			}
		}
		o.pending = all
	}
}
