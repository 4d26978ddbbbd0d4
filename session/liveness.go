package session

import "time"

// heartbeat sees to it that an empty frame is written, unless something else is to be
// written: that says as much. The caller holds mu, and loses it.
func (s *Session) heartbeat() {
	if s.link == nil || s.sealed || s.writeErr != nil || !s.out.empty() {
		s.mu.Unlock()
		return
	}
	s.out.add(s.cfg.Format, nil)
	if s.out.flushing { // a turn or a move holds the token, and writes this in the end
		s.mu.Unlock()
		return
	}
	s.out.flushing = true
	s.mu.Unlock()
	s.flush(false)
}

// tick is called by the host at the instant it was asked for. It sends a
// heartbeat if one is due, ends a connection on which nothing arrives any
// more, and returns the next instant, or the zero Time for none.
func (s *Session) tick() time.Time {
	s.mu.Lock()
	if s.link == nil {
		s.ticking = false
		s.mu.Unlock()
		return time.Time{}
	}
	epoch, link := s.epoch, s.link
	period, timeout := int64(s.cfg.HeartbeatPeriod), int64(s.cfg.HeartbeatTimeout)
	if s.now()-s.opened >= period {
		s.proven = true
	}
	var broken error // for so long that its reader had the time to find out
	if s.writeErr != nil && s.now()-s.writeErr.at >= period {
		broken = s.writeErr.err
	}
	if !s.waiting {
		s.company = nil
	}
	s.mu.Unlock()
	if broken != nil {
		s.fail(epoch, broken)
		return s.untick()
	}

	holding := s.in.holding()  // before lastRead: see Receiver.resume
	heard := s.lastRead.Load() // before now: what is heard in between would lie in the future
	now := s.now()
	if now-heard >= timeout || holding {
		heard = s.askPulse(link, holding, now, heard)
	}
	if now-heard >= timeout {
		s.fail(epoch, ErrHeartbeatTimeout)
		return s.untick()
	}
	if now-s.lastWrite.Load() >= period {
		s.mu.Lock()
		s.heartbeat()
	}
	idle := now - s.lastWrite.Load()
	if idle >= period { // somebody else is writing, and may be stuck
		idle = 0
	}
	return time.Now().Add(time.Duration(min(period-idle, timeout-(now-heard))))
}

// untick stops the ticks, unless a new connection has begun.
func (s *Session) untick() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == nil {
		s.ticking = false
		return time.Time{}
	}
	return time.Now().Add(s.cfg.HeartbeatPeriod)
}

// askPulse judges a peer that we have not heard for too long, or do not want
// to hear because our consumer is slow. It returns when the peer last gave a
// sign of life. Bytes that arrived count whether we read them or not. While we
// do not read, the peer may be unable to send: then the acknowledgements of
// its host count, and only what stays unanswered is held against it.
func (s *Session) askPulse(link Link, holding bool, now, heard int64) int64 {
	pulse, known := link.Pulse()
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
