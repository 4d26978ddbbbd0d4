package session

import (
	"math"
	"time"
)

// Tick is called by the host at the instant it was asked for. It sends a heartbeat if one is due,
// ends the connection if nothing arrives any more, and returns the next instant, or the zero Time
// for none.
func (c *Conn) Tick() time.Time {
	s := c.s
	late := s.now()-c.due > int64(s.cfg.HeartbeatPeriod)
	s.mu.Lock()
	if s.conn != c {
		s.mu.Unlock()
		return time.Time{}
	}
	finished, broken := c.finished, c.brokenFor(late)
	heldUp := c.acks != nil && s.holdsUpReader()
	if !s.cork.on {
		s.cork.timer = nil
	}
	s.mu.Unlock()

	heard, now, err := c.examine(late, finished, broken)
	if err != nil {
		s.lost(c, err)
		return time.Time{}
	}
	beat := c.beat.Load() // after this, the reader that shortens it has Tick called sooner
	if news := c.acks.tick(heldUp); news || now-c.lastWrite.Load() >= beat {
		s.heartbeat(c)
	}
	idle := now - c.lastWrite.Load()
	if idle >= beat { // a writer is at work, and may be stuck
		idle = 0
	}
	wait := min(beat-idle, int64(s.cfg.HeartbeatTimeout)-(now-heard))
	if look := s.cfg.look(); look > 0 {
		wait = min(wait, look)
	}
	if heldUp {
		wait = min(wait, int64(s.cfg.ackDelay()))
	}
	c.due = after(now, wait)
	return time.Now().Add(time.Duration(wait))
}

// brokenFor returns the error of a connection that has been broken for so long that its reader had
// the time to find the end. A callback that holds the reader up gets all the time it needs, unless
// somebody waits for room meanwhile: the connection makes none, and it may be what the callback waits
// for. The caller holds Session.mu.
func (c *Conn) brokenFor(late bool) error {
	s := c.s
	if late || c.finished || c.writeErr == nil {
		return nil
	}
	since, patience := max(c.writeFail, c.letRead), s.cfg.HeartbeatPeriod
	if s.holdsUpReader() {
		if s.out.room.waiting == 0 {
			return nil
		}
		since, patience = max(since, c.lastRead.Load()), s.cfg.HeartbeatTimeout
	}
	if s.now()-since < int64(patience) {
		return nil
	}
	return c.writeErr
}

// examine returns why the connection is over, or nil, and when the peer was last heard, and when that
// was found. A peer that has finished will not be heard.
func (c *Conn) examine(late, finished bool, broken error) (heard, now int64, over error) {
	holding := c.s.in.holding(c) // before lastRead: see resume
	heard = c.lastRead.Load()    // before now: what is heard in between would lie in the future
	now = c.s.now()
	if broken != nil && c.readsNoMore() {
		return heard, now, broken
	}
	switch {
	case finished:
		heard, holding = now, false
	case late:
		heard = c.pardon(now, heard)
	default:
		c.pardoned = false
	}
	timeout := int64(c.s.cfg.HeartbeatTimeout)
	if now-heard >= timeout || holding {
		heard = c.judge(holding, now, heard)
	}
	switch {
	case now-heard >= timeout:
		over = ErrHeartbeatTimeout
	case c.slow(now, late, holding):
		over = ErrSlowFrame
	case c.stuck(now):
		over = ErrWriteTimeout
	case c.unacknowledged(now, holding):
		over = ErrHeartbeatTimeout
	}
	return heard, now, over
}

// readsNoMore reports whether the reader of a broken connection, which may pass the bounds of the
// inbox to find the end, gets no further: it has brought nothing for a period, as it may bring no more,
// or as there was nothing to be brought.
func (c *Conn) readsNoMore() bool {
	if !c.s.in.holding(c) {
		if pulse, known := c.link.Pulse(); known && pulse.Unread {
			return false
		}
	}
	return c.s.now()-c.lastRead.Load() >= int64(c.s.cfg.HeartbeatPeriod)
}

// after returns the instant that is so much later, or the last there is.
func after(now, wait int64) int64 { return now + min(wait, math.MaxInt64-now) }

// pardon is what a late tick does: the process did not run, and may not have read what the peer said
// meanwhile, as the peer may not have run either: it gets one more period to be heard. It gets that
// once: a process that is late again and again would find no peer dead.
func (c *Conn) pardon(now, heard int64) int64 {
	if c.pardoned {
		return heard
	}
	c.pardoned = true
	cfg := c.s.cfg
	least := now - int64(cfg.HeartbeatTimeout-cfg.HeartbeatPeriod)
	c.acks.pardon(least)
	if heard < least {
		c.lastRead.CompareAndSwap(heard, least) // else the reader has just heard the peer
		return least
	}
	return heard
}

// heartbeat sees to it that an empty frame is written, unless something else is to be written:
// that says as much. With Resume it is an acknowledgement.
func (s *Session) heartbeat(c *Conn) {
	s.mu.Lock()
	k := s.out.kept
	if s.conn != c || s.trial() || c.writeErr != nil || s.phase == goodbye ||
		k == nil && (s.phase >= sealed || !s.out.empty()) {
		s.mu.Unlock()
		return
	}
	if k == nil {
		s.out.add(&s.cfg.Format, nil)
	} else {
		k.control.ack = true
	}
	if !s.takeWriting(c) { // a turn or a move has the right, and writes this in the end
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	s.flush(c, false)
}

// judge tells when a peer last gave a sign of life that we have not heard for too long, or do not
// want to hear because our consumer is slow. Bytes that arrived count whether we read them or not.
// While we do not read, the peer may be unable to send: then the acknowledgements of its host
// count, and only what stays unanswered is held against it.
func (c *Conn) judge(holding bool, now, heard int64) int64 {
	pulse, known := c.link.Pulse()
	if !known {
		if holding {
			return now
		}
		return heard
	}
	heard = max(heard, now-int64(pulse.Data))
	if holding || pulse.Unread {
		if !pulse.Unanswered {
			return now
		}
		heard = max(heard, now-int64(pulse.Ack))
	}
	return heard
}
