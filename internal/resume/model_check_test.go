package resume

// check looks at what must be true in each state.
func (m *model) check(s *state) {
	if m.doubtful {
		return
	}
	m.checkStream("the dialer", &s.dialer.stream, s.dialer.arrived)
	for i := range s.sessions[:s.begun] {
		a := &s.sessions[i]
		m.checkStream("a session", &a.stream, a.arrived)
	}
	if s.begun > 1+s.further {
		m.fail("%d sessions at the listener, and %d for a reason", s.begun, 1+s.further)
	}
	if s.ended {
		return
	}
	if lost := s.dialer.lost + s.sessions[0].lost; lost > 0 {
		m.fail("%d lost, and nothing has ended", lost)
	}
}

// checkStream looks at the accounts, and that what is in none of them has arrived.
func (m *model) checkStream(who string, t *stream, arrived uint8) {
	given := t.ackedOld + t.acked + t.kept() + t.pending() + t.lost + t.queued
	if !m.rules.resendLost && given != t.accepted && t.excused == 0 {
		m.fail("accounts of %s: %d of %d messages", who, given, t.accepted)
	}
	gone := t.base + t.acked // neither kept nor pending
	if t.ended {
		gone = t.accepted
	}
	missing := uint8(0)
	for id := t.excused + 1; id <= gone; id++ {
		if arrived&(1<<(id-1)) == 0 {
			missing++
		}
	}
	bound := t.lost + t.queued
	if m.rules.resendLost && !t.ended {
		bound = 0
	}
	if missing > bound {
		m.fail("%d messages of %s are missing, and %d were told", missing, who, bound)
	}
}

// checkHome looks at where the two ends come to when nothing more happens from outside.
func (m *model) checkHome(s *state) {
	doubtful := m.doubtful
	m.doubtful = false // that they come to a connection is always promised
	defer func() { m.doubtful = doubtful }()
	d := &s.dialer
	for i := range s.sessions[:s.begun] {
		if a := &s.sessions[i]; a.live && (a.claim != 0 || a.conn != 0 && a.conn != d.conn) {
			m.fail("session %d has a connection that is none", i+1)
		}
	}
	if d.ended {
		return
	}
	if d.conn == 0 || s.conns[d.conn-1].at[dialing].phase != attached {
		m.fail("no connection")
		return
	}
	k := &s.conns[d.conn-1].at[listening]
	if k.phase != attached {
		m.fail("a connection of the dialer alone")
		return
	}
	a := &s.sessions[k.session-1]
	switch {
	case !a.live || a.conn != d.conn || a.token != d.token:
		m.fail("a connection without a session")
	case d.pending() > 0 || a.pending() > 0:
		m.fail("not everything is sent")
	case !doubtful && (d.kept() > 0 || a.kept() > 0):
		m.fail("not everything is acknowledged")
	case !doubtful && (a.received != d.sent || d.received != a.sent):
		m.fail("not everything is received")
	}
}
