package session

import (
	"slices"

	"github.com/netasync/netasync/codec"
)

// shareLimit is the size in bytes up to which the payload of a shared message is copied into each
// session's buffer. A larger one is copied once, behind its header, for all.
const shareLimit = 512

// Shared is a message for many sessions. It is for one goroutine at a time.
type Shared struct {
	payload []byte
	frames  []formatted // that were needed. Most programs have one format
}

// formatted is a message as it is written. It is never changed.
type formatted struct {
	format codec.Format
	frame  []byte
}

// Share returns a message for one broadcast. The payload is not kept beyond the last TryShare: what is
// needed later is a copy.
func Share(payload []byte) Shared { return Shared{payload: payload} }

// framed returns the message as it is written.
func (m *Shared) framed(f *codec.Format) []byte {
	for i := range m.frames {
		if m.frames[i].format == *f {
			return m.frames[i].frame
		}
	}
	frame := f.AppendFrame(make([]byte, 0, f.FrameLen(len(m.payload))), m.payload)
	m.frames = append(m.frames, formatted{*f, frame})
	return frame
}

// Shareout says what became of a message for a member.
type Shareout uint8

// What may become of a message.
const (
	ShareQueued   Shareout = iota // it is queued
	ShareNoRoom                   // it is not, since the write buffer is full
	ShareReplaced                 // it is queued in the place of those that waited, for the same reason
	ShareRefused                  // it is not, and Send would have said so: too large, empty, not connected
	ShareEnded                    // it is not: the session is closing, or has closed
)

// TryShare queues a message if there is room. One that may replace others always finds it; it also takes
// their place while the member is slow, which it is from then on until nothing was to be replaced. If it
// is owed, the caller has Write called soon: nobody else writes what is queued.
func (m *Member) TryShare(message *Shared, slow bool) (out Shareout, owed bool) {
	s := m.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.phase != open:
		return ShareEnded, false
	case s.down() || s.check(message.payload) != nil:
		return ShareRefused, false
	}
	full := s.noRoomToShare()
	switch {
	case m.source == 0 && full:
		out = ShareNoRoom
	case m.source != 0 && (slow || full):
		if s.replace(m.source) || full {
			out = ShareReplaced
		}
	}
	if out != ShareNoRoom {
		s.enqueueAny(message.payload, message, m.source)
	}
	if !s.needsWriter() {
		return out, false
	}
	owed = !s.out.owed
	s.out.owed = true
	return out, owed
}

// Write writes what is queued for the session, as far as that is possible at once. A goroutine of the
// session's own writes what is left. The caller holds no lock.
func (m *Member) Write() {
	s := m.s
	s.mu.Lock()
	s.out.owed = false
	c := s.conn
	if s.out.empty() || !s.takeWriting(c) {
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	s.flush(c, false)
}

// noRoomToShare reports whether the write buffer is full. A turn of callbacks that is about to write makes
// no room before its end, and a burst that came by one read is no reason to call the member slow: it may
// hold as much as the turn may. The caller holds mu.
func (s *Session) noRoomToShare() bool {
	return !s.hasRoom() && (!s.turnWrites() || s.turnIsFull())
}

// replace drops what still waits of a source, and reports whether that was anything. If there is no room
// even then, it also drops what waits of members that have left: otherwise one that leaves and joins again
// and again, and reads nothing, would have more waiting each time. The caller holds mu.
func (s *Session) replace(source uint32) (replaced bool) {
	replaced = s.withdraw(func(of uint32) bool { return of == source })
	if s.noRoomToShare() {
		s.withdraw(s.isOfFormer)
	}
	return replaced
}

// isOfFormer reports whether a source is that of a member that has left. The caller holds mu.
func (s *Session) isOfFormer(source uint32) bool {
	if source == 0 {
		return false
	}
	for m := s.members; m != nil; m = m.next {
		if m.source == source {
			return false
		}
	}
	return true
}

// withdraw drops what still waits of some sources, and reports whether that was anything. The caller
// holds mu.
func (s *Session) withdraw(of func(source uint32) bool) bool {
	n := s.out.withdraw(of, s.writing)
	for range n {
		s.countDrop()
	}
	return n > 0
}

// addShared is add for a message that others get, too.
func (o *outbox) addShared(f *codec.Format, m *Shared, source uint32) {
	if o.pending == nil {
		o.pending = framesPool.Get().(*frames)
	}
	o.pending.addShared(f, m, source)
	o.messages++
	o.bytes += len(m.payload)
}

// addShared appends a frame that others have, too.
func (fs *frames) addShared(f *codec.Format, m *Shared, source uint32) {
	n := len(m.payload)
	if n <= shareLimit && source == 0 {
		fs.add(f, m.payload)
		return
	}
	s := size{payload: uint32(n), frames: 1, source: source, header: uint8(f.HeaderLen(n))}
	if n <= shareLimit {
		fs.buf = f.AppendFrame(fs.buf, m.payload)
	} else {
		s.form = shared
		fs.large = append(fs.large, large{at: len(fs.buf), payload: m.framed(f)})
	}
	fs.count(s)
}

// withdraw removes the messages of some sources, but for those that are being written, were begun, or are
// kept. It returns how many it has removed.
func (o *outbox) withdraw(of func(source uint32) bool, writing bool) (removed int) {
	others := o.kept.unacked()
	take := func(fs *frames) *frames {
		messages, bytes := fs.messages, fs.bytes
		fs = fs.without(of, func(n, before int) { o.gone(n, others+before) })
		messages, bytes = messages-fs.messages, bytes-fs.bytes
		o.messages -= messages
		o.bytes -= bytes
		removed += messages
		if fs.empty() {
			fs.free()
			return nil
		}
		return fs
	}
	switch {
	case o.kept != nil || o.inflight.empty():
	case o.droppable(writing):
		before := o.inflight.sizes[o.inflight.first]
		if o.inflight = take(o.inflight); of(before.source) {
			o.spoiled = 0
		}
		if o.inflight != nil {
			others = o.inflight.messages
		}
	default:
		others = o.inflight.messages
	}
	if !o.pending.empty() {
		o.pending = take(o.pending)
	}
	return removed
}

// cut drops the frames from a size on, as without does.
func (fs *frames) cut(tail int, removed func(n, before int)) {
	for len(fs.sizes) > tail {
		n := int(fs.last().frames)
		for range n {
			fs.dropNewest()
		}
		removed(n, fs.messages)
	}
}

// without returns frames, of which the link has taken nothing, without those of some sources. It says of
// each row of them how many messages there were before it that are left.
func (fs *frames) without(of func(source uint32) bool, removed func(n, before int)) *frames {
	tail := len(fs.sizes)
	for tail > fs.first && of(fs.sizes[tail-1].source) {
		tail--
	}
	if !slices.ContainsFunc(fs.sizes[fs.first:tail], func(s size) bool { return of(s.source) }) {
		fs.cut(tail, removed) // as most often: nothing is to be moved
		return fs
	}
	rest := framesPool.Get().(*frames)
	for !fs.empty() {
		s := &fs.sizes[fs.first]
		if !of(s.source) {
			fs.moveFirst(rest)
			continue
		}
		n := int(s.frames)
		for range n {
			fs.dropFirst()
		}
		removed(n, rest.messages)
	}
	fs.free()
	return rest
}
