package resume

// readData takes a message off a connection: it is not received yet.
func (m *model) readData(s *state, c ref, e end) bool {
	k := &s.conns[c-1].at[e]
	if k.turn.kind != 0 {
		return false
	}
	k.turn = s.take(c, e)
	if m.rules.countsLate {
		m.arrive(s, k, e, k.turn)
	}
	return true
}

// lost reports whether an end can notice that its connection has ended: the other has closed it, and
// what that has written has been read; or nothing comes, or nothing is acknowledged.
func (s *state) lost(c ref, e end) bool {
	k := &s.conns[c-1]
	return k.at[e.other()].phase == shut && k.to[e].n == 0 || k.to[0].cut || k.to[1].cut
}

// drop closes an end of a connection.
func (m *model) drop(s *state, c ref, e end) bool {
	if s.conns[c-1].at[e].phase == shut {
		return false
	}
	if e == dialing {
		m.leave(s, c)
	} else {
		m.lose(s, c)
	}
	return true
}

// writes writes the next message of the dialer or of a session.
func (m *model) writes(s *state, r ref) bool {
	t, c, to := s.stream(r)
	if c == 0 {
		return false
	}
	early := m.rules.dataBeforeWelcome && r == 0 && s.dialer.token != 0
	if s.conns[c-1].at[to.other()].phase != attached && !early || !s.room(c, to, 1) {
		return false
	}
	id, ok := t.next()
	if ok {
		s.write(c, to, frame{kind: kindData, id: id, sentFrom: r})
	}
	return ok
}

// stream returns the stream of the dialer, or of one of the listener's sessions, its connection, and
// the other end of that.
func (s *state) stream(r ref) (*stream, ref, end) {
	if r == 0 {
		return &s.dialer.stream, s.dialer.conn, listening
	}
	return &s.sessions[r-1].stream, s.sessions[r-1].conn, dialing
}

// acks acknowledges what was received, if that is news on this connection.
func (m *model) acks(s *state, c ref, e end) bool {
	k := &s.conns[c-1].at[e]
	if k.phase != attached || !s.room(c, e.other(), 1) {
		return false
	}
	received := s.dialer.received
	if e == listening {
		received = s.sessions[k.session-1].received
	}
	if m.rules.acksRead && k.turn.kind == kindData {
		received++
	}
	if received == k.told {
		return false
	}
	k.told = received
	s.write(c, e.other(), frame{kind: KindAck, count: received})
	return true
}

// bye says Bye, when everything before it is written.
func (s *state) bye(r ref) bool {
	t, c, to := s.stream(r)
	closing := s.dialer.closing
	if r != 0 {
		closing = s.sessions[r-1].closing
	}
	if !closing || c == 0 || t.base+t.written != t.accepted {
		return false
	}
	k := &s.conns[c-1].at[to.other()]
	if k.phase != attached || k.bye || !s.room(c, to, 1) {
		return false
	}
	k.bye = true
	s.write(c, to, frame{kind: KindBye, count: t.sent})
	return true
}

// close is what a user does.
func (m *model) close(s *state, r ref) bool {
	if r != 0 {
		a := &s.sessions[r-1]
		if a.closing {
			return false
		}
		if a.closing = true; a.conn == 0 {
			m.over(s, r)
		}
		return true
	}
	d := &s.dialer
	if d.closing || d.ended {
		return false
	}
	d.closing = true
	if d.conn == 0 && d.kept() == 0 && d.pending() == 0 {
		d.end()
	}
	return true
}

// linger ends a dialer that has tried to close for too long.
func (m *model) linger(s *state) bool {
	d := &s.dialer
	if !d.closing || d.ended {
		return false
	}
	d.end()
	if d.conn != 0 {
		m.leave(s, d.conn)
	}
	return true
}

// expire ends the window of a session without a connection.
func (m *model) expire(s *state, r ref) bool {
	if r == 0 {
		return false
	}
	a := &s.sessions[r-1]
	if a.conn != 0 || a.claim != 0 && !m.rules.expiresClaimed {
		return false
	}
	s.further++
	if m.rules.expiresUnheard && !a.heard {
		m.over(s, r)
		return true
	}
	s.ended = true
	if !spend(&s.left.expiries) {
		return false
	}
	m.over(s, r)
	return true
}

// lapse has an end forget that it has received a message, or sent one.
func (s *state) lapse(r ref) bool {
	t, _, _ := s.stream(r)
	switch {
	case t.received > 0:
		t.received--
	case t.sent > 0:
		t.sent--
		t.acked, t.written = min(t.acked, t.sent), min(t.written, t.sent)
	default:
		return false
	}
	return true
}
