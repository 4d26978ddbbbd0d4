package session

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
)

// When what was received is acknowledged.
const (
	// ackPart is the part of what the peer keeps that is acknowledged at once. The others leave room
	// for what the peer sends while the acknowledgement is on its way.
	ackPart = 4
	// ackMessages, or ackBytes, are acknowledged when anything is written.
	ackMessages = 16
	ackBytes    = 64 << 10
	// ackDelay, or HeartbeatPeriod if that is less, bounds how long a message is not acknowledged.
	ackDelay = 250 * time.Millisecond
)

// acks are what a connection of a session with Resume has received and acknowledged, and what its peer
// has told in control frames.
type acks struct {
	// taken counts the messages that were received on this connection: each as it is queued, or right
	// before its callback. The top bit says that the connection is over: what comes later does not
	// count, and gets no callback.
	taken     atomic.Uint64
	told      atomic.Uint64 // of them, acknowledged
	readSince atomic.Uint64 // bytes that were read since the last acknowledgement
	armed     atomic.Bool   // the next tick is to acknowledge

	base uint64      // messages of the connections before; set before anything is read
	peer resume.Keep // what the peer keeps; set before anything is read

	asked     bool   // a question is to be answered. The reader's own
	escaped   bool   // the next frame is a control frame. The reader's own
	gap       int64  // the silence before what is being read. The reader's own
	lastAcked uint64 // by the last acknowledgement of the peer. The reader's own

	heard atomic.Int64 // when the peer last acknowledged anything, be it nothing new

	// Session.mu guards these.
	byeSaid  bool // we have said goodbye,
	byeHeard bool // and the peer has acknowledged that
	parted   bool // the peer has said goodbye
	// allAcked is made when the peer says goodbye, and closed when it has acknowledged all that was sent,
	// or the connection is over; it is nil then. The peer's last acknowledgement comes behind its goodbye.
	allAcked chan struct{}
}

// stopped is the top bit of acks.taken.
const stopped = 1 << 63

// take counts a message. It reports false if the connection is over.
func (a *acks) take(n int) bool {
	if a.taken.Add(uint64(n))&stopped == 0 {
		return true
	}
	a.taken.Add(-uint64(n))
	return false
}

// stop ends the counting, and returns how many messages were received.
func (a *acks) stop() uint64 { return a.taken.Or(stopped) &^ stopped }

// tellAllAcked ends the wait for the peer's last acknowledgement. The caller holds Session.mu.
func (a *acks) tellAllAcked() {
	if a.allAcked != nil {
		close(a.allAcked)
		a.allAcked = nil
	}
}

// news returns how many messages were received and not acknowledged.
func (a *acks) news() uint64 { return a.taken.Load()&^stopped - a.told.Load() }

// worthAFrame reports whether news are to be told where anything is written.
func (a *acks) worthAFrame() bool {
	news := a.news()
	return news >= ackMessages || news > 0 && a.readSince.Load() >= ackBytes
}

// urgent reports whether news are to be told at once, since the peer may be about to stop.
func (a *acks) urgent() bool {
	return a.news() >= uint64(a.peer.Messages)/ackPart || a.readSince.Load() >= uint64(a.peer.Bytes)/ackPart
}

// acknowledge returns the number of what was received, which is then told.
func (a *acks) acknowledge() uint64 {
	a.readSince.Store(0)
	taken := a.taken.Load() &^ stopped
	a.told.Store(taken)
	return a.base + taken
}

// tick reports whether news are to be told since a tick was asked for. What comes after this look asks
// for another one. held says that a callback holds the reader up, which could not ask.
func (a *acks) tick(held bool) bool {
	return a != nil && (a.armed.Swap(held) || held) && a.news() > 0
}

// unacknowledged reports whether messages wait for the peer to acknowledge others, and it has
// acknowledged nothing for HeartbeatTimeout: every heartbeat of its should. Within a message it cannot, and
// while we do not read we do not see it. But where somebody waits for room and a callback holds the reader up,
// that may be what it waits for: the next connection tells what the peer has.
func (c *Conn) unacknowledged(now int64, holding bool) bool {
	a, s := c.acks, c.s
	if a == nil || c.paid.Load() != 0 || now-a.heard.Load() < int64(s.cfg.HeartbeatTimeout) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if holding && !(s.holdsUpReader() && s.out.room.waiting > 0) {
		return false
	}
	return s.begun() && s.conn == c && !s.out.pending.empty() && s.out.kept.full()
}

// pardon gives the peer the time to acknowledge something: it counts as having done so at the given
// instant, or later.
func (a *acks) pardon(least int64) {
	if a == nil {
		return
	}
	if heard := a.heard.Load(); heard < least {
		a.heard.CompareAndSwap(heard, least)
	}
}

// acknowledgeRead sees to it that what was just read is acknowledged in time, or at once. It is for the reader.
func (c *Conn) acknowledgeRead(bytes int) {
	a := c.acks
	a.readSince.Add(uint64(bytes))
	news := a.news() > 0
	switch {
	case a.asked, news && a.urgent():
		a.asked = false
		c.s.heartbeat(c)
	case news:
		c.acknowledgeSoon()
	}
}

// acknowledgeSoon has the next tick acknowledge what is new by then.
func (c *Conn) acknowledgeSoon() {
	if !c.acks.armed.Swap(true) {
		c.ticker.Sooner(time.Now().Add(c.s.cfg.ackDelay()))
	}
}

// ackDelay bounds how long a message is not acknowledged.
func (cfg *Config) ackDelay() time.Duration { return min(ackDelay, cfg.HeartbeatPeriod) }

// heartbeats returns how many bytes at the beginning of p are whole empty frames that mean nothing but
// a sign of life.
func (c *Conn) heartbeats(p []byte) int {
	if c.acks != nil {
		return 0
	}
	return c.dec.Heartbeats(p)
}

// escape notes that an empty frame has come. With Resume it says that the next one is a control frame.
func (c *Conn) escape() {
	if c.acks == nil {
		return
	}
	c.acks.escaped = true
	c.dec.SetMax(resume.MaxBody)
}

// controlNext reports whether what comes first in p belongs to a control frame: it needs no room.
func (c *Conn) controlNext(p []byte) bool {
	return c.acks != nil && (c.acks.escaped || c.dec.Heartbeats(p) > 0)
}

// readControl takes a control frame, or a part of one, off p.
func (c *Conn) readControl(p []byte) (rest []byte, err error) {
	f, n, complete, err := c.decode(p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadAck, err)
	}
	if !complete {
		return p[n:], nil
	}
	c.acks.escaped = false
	c.dec.SetMax(c.s.cfg.MaxPayload)
	c.prove()
	return p[n:], c.obey(f)
}

// obey does what a control frame says.
func (c *Conn) obey(f codec.Frame) error {
	m, err := resume.Parse(f.Payload)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadAck, err)
	}
	gap := c.acks.gap
	c.acks.gap = 0
	switch m.Kind {
	case resume.KindAck:
		return c.acknowledged(m.Received, gap)
	case resume.KindBye:
		return c.part(m.Bye)
	}
	c.acks.asked = true // one answer for all questions of a read
	return nil
}

// acknowledged notes that the peer has so many of our messages, which it says after a silence of gap.
func (c *Conn) acknowledged(received uint64, gap int64) error {
	s, a := c.s, c.acks
	now := s.now()
	a.heard.Store(now)
	if received == a.lastAcked && gap > 0 {
		c.adopt(gap, now)
	}
	a.lastAcked = received
	s.mu.Lock()
	if s.conn != c {
		s.mu.Unlock()
		return nil
	}
	o, k := &s.out, s.out.kept
	if !resume.Plausible(received, k.acked, k.acked+uint64(k.messages-k.again)) {
		s.mu.Unlock()
		return fmt.Errorf("%w: %d of %d", ErrBadAck, received, k.acked+uint64(k.messages-k.again))
	}
	if received > k.acked {
		users := k.drop(int(received-k.acked), !o.giving && o.inflight.empty())
		k.acked = received
		s.stats.acked += uint64(users)
		o.gone(users, 0)
	}
	if a.byeSaid && k.messages == 0 {
		a.byeHeard, s.resume.owesBye = true, false
	}
	if k.messages == k.again {
		a.tellAllAcked()
	}
	if !s.awaitsAcks() {
		s.in.endSearch(c)
	}
	s.settle()
	return nil
}

// part notes that the peer has said goodbye: it has sent all that it wants to. It gets a last
// acknowledgement, and the connection ends.
func (c *Conn) part(bye resume.Bye) error {
	s, a := c.s, c.acks
	if got := a.base + a.taken.Load()&^stopped; bye.Sent != got {
		return fmt.Errorf("%w: goodbye after %d messages, and %d have come", ErrBadAck, bye.Sent, got)
	}
	s.mu.Lock()
	if s.conn == c && !a.parted {
		a.parted, s.out.kept.control.ack = true, true
		if k := s.out.kept; k.messages > k.again {
			a.allAcked = make(chan struct{})
		}
	}
	writes := s.takeWriting(c) // else who writes finds that the peer has parted
	s.mu.Unlock()
	if writes {
		s.flush(c, false)
	}
	return nil
}
