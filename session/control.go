package session

import (
	"sync"
	"time"

	"github.com/netasync/netasync/internal/resume"
)

// This is what a session with Resume writes beside messages: control frames, between two messages.
// When an acknowledgement is due, acks.go tells.

// control are the control frames that are to be written. Session.mu guards it; what is being written is
// the writer's.
type control struct {
	ack bool // an acknowledgement, at once
	ask bool // a question, when all messages were written
	bye bool // a goodbye, when all messages were written

	spoken *spoken // those being written; nil: none
}

// spoken are control frames that are being written.
type spoken struct {
	rest     []byte   // what the link has not taken
	buf      []byte   // memory for all
	segments [][]byte // memory for a write that begins with them
}

// spokens is memory for those of other sessions: most have none to write.
var spokens = sync.Pool{New: func() any { return new(spoken) }}

// due reports whether anything is to be written now. all says that all messages were written.
func (t *control) due(all bool) bool {
	return t.spoken != nil || t.ack || all && (t.ask || t.bye)
}

// sent says that the link has taken n more bytes, and returns how many of them were control frames.
func (t *control) sent(n int) int {
	sp := t.spoken
	if sp == nil {
		return 0
	}
	clear(sp.segments) // they would keep large payloads
	n = min(n, len(sp.rest))
	if sp.rest = sp.rest[n:]; len(sp.rest) == 0 {
		*sp = spoken{buf: sp.buf[:0], segments: sp.segments[:0]}
		spokens.Put(sp)
		t.spoken = nil
	}
	return n
}

// atOnce bounds the bytes of messages in one write: an acknowledgement does not wait for more than these,
// and what is left of a message.
const atOnce = 256 << 10

// segments returns what is to be written next: messages, and in front of them control frames that are
// due. A peer that has said goodbye gets those alone. The caller holds mu, and has the right to write.
func (s *Session) segments(c *Conn) [][]byte {
	o := &s.out
	if o.kept == nil {
		return o.load().next()
	}
	t, parted := &o.kept.control, c.acks.parted
	fs := o.underWay()
	if fs == nil && !parted {
		fs = o.load()
	}
	if !fs.empty() && fs.offset > 0 { // within a message
		if t.ack || parted {
			return firstBytes(fs.next(), fs.sizes[fs.first].wire()-fs.offset)
		}
		return firstBytes(fs.next(), atOnce)
	}
	if t.spoken == nil {
		s.compose(c)
	}
	var messages [][]byte
	if !fs.empty() {
		messages = firstBytes(fs.next(), atOnce)
	}
	if t.spoken == nil {
		return messages
	}
	t.spoken.segments = append(append(t.spoken.segments[:0], t.spoken.rest), messages...)
	return t.spoken.segments
}

// firstBytes returns the first n bytes of a list of slices, or all.
func firstBytes(segments [][]byte, n int) [][]byte {
	for i, s := range segments {
		if n <= len(s) {
			segments[i] = s[:n]
			return segments[:i+1]
		}
		n -= len(s)
	}
	return segments
}

// compose makes the control frames that are due. The caller holds mu, and has the right to write.
func (s *Session) compose(c *Conn) {
	k := s.out.kept
	t := &k.control
	if t.ack || c.acks.worthAFrame() {
		t.ack = false
		var body [16]byte
		s.appendControl(resume.AppendAck(body[:0], c.acks.acknowledge()))
	}
	if s.out.written() && !c.acks.parted {
		if t.ask {
			t.ask = false
			var body [1]byte
			s.appendControl(resume.AppendQuestion(body[:0]))
		}
		if t.bye {
			t.bye, c.acks.byeSaid, s.resume.owesBye = false, true, s.dialed()
			var body [16]byte
			bye := resume.Bye{Sent: k.acked + uint64(k.messages)}
			s.appendControl(bye.Append(body[:0]))
			s.search()
		}
	}
	if t.spoken != nil {
		t.spoken.rest = t.spoken.buf
	}
}

// finishParted is finish for a connection whose peer has said goodbye: its last acknowledgement is
// waited for, until allAcked is closed, which may be nil.
func (s *Session) finishParted(c *Conn, allAcked <-chan struct{}) {
	deadline := time.Now().Add(s.cfg.Linger)
	if allAcked != nil {
		timer := time.NewTimer(s.cfg.Linger)
		defer timer.Stop()
		select {
		case <-allAcked:
		case <-timer.C:
		}
	}
	s.finish(c, deadline)
}

// appendControl appends a control frame to those that are to be written: an empty frame, and its body.
func (s *Session) appendControl(body []byte) {
	t, f := &s.out.kept.control, &s.cfg.Format
	if t.spoken == nil {
		t.spoken = spokens.Get().(*spoken)
	}
	buf := f.AppendHeader(t.spoken.buf, 0)
	t.spoken.buf = append(f.AppendHeader(buf, len(body)), body...)
}
