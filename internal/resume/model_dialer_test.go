package resume

// dial says Hello on a new connection. A dialer that closes, and waits for nothing but the
// acknowledgement of what it has sent, has no use for a new session.
func (m *model) dial(s *state) bool {
	d := &s.dialer
	c := s.free()
	if d.conn != 0 || d.ended || c == 0 {
		return false
	}
	if !m.rules.sameNumber || d.number == 0 {
		d.number++
	}
	d.conn = c
	k := &s.conns[c-1]
	k.used = true
	k.at = [2]side{{phase: greeting, told: d.received}, {phase: greeting}}
	hello := frame{kind: KindHello, number: d.number, nonce: d.nonce, token: d.token, count: d.received}
	hello.goesOn = d.token != 0
	hello.useless = d.closing && d.token != 0 && d.pending() == 0 && !m.rules.resendLost
	hello.only = hello.useless && !m.rules.closesInNew
	s.write(c, listening, hello)
	if m.rules.dataBeforeWelcome {
		d.written = d.acked
	}
	return true
}

// readDialer reads a frame at the dialer's end.
func (m *model) readDialer(s *state, c ref) bool {
	k := &s.conns[c-1].at[dialing]
	f := s.conns[c-1].to[dialing].frames[0]
	if k.phase == greeting {
		s.take(c, dialing)
		m.answered(s, c, f)
		return true
	}
	d := &s.dialer
	switch {
	case f.kind == kindData:
		return m.readData(s, c, dialing)
	case f.kind == KindAck:
		s.take(c, dialing)
		if !d.acknowledge(f.count) {
			m.badAck("the listener", f.count, &d.stream)
			m.leave(s, c)
		} else if d.closing && k.bye && d.kept() == 0 {
			d.end()
			m.leave(s, c)
		}
		return true
	case f.kind == KindBye && k.turn.kind == 0 && s.room(c, listening, 1):
		s.take(c, dialing)
		s.write(c, listening, frame{kind: KindAck, count: d.received})
		m.saw[sawByeOfListener] = true
		if f.count != d.received {
			m.doubt("the listener has sent %d and the dialer received %d", f.count, d.received)
		}
		m.leave(s, c)
		m.forget(s)
		return true
	}
	return false
}

// answered takes the listener's answer to a Hello.
func (m *model) answered(s *state, c ref, f frame) {
	d := &s.dialer
	k := &s.conns[c-1].at[dialing]
	switch {
	case f.kind == KindRefuse:
		m.leave(s, c)
		if Code(f.count) == RefuseUnknown && !d.ended {
			m.saw[sawUnwanted] = true
			d.end()
		} else if Code(f.count) == RefuseForbidden {
			m.fail("forbidden")
		}
	case f.kind != KindWelcome:
		m.fail("%c before a Welcome", f.kind)
	case !f.goesOn:
		m.restart(&d.stream)
		d.token = f.token
		k.phase, k.told = attached, 0
	case d.token != f.token || !m.resume(&d.stream, f.count):
		m.doubt("the Welcome says %d of %d to %d", f.count, d.acked, d.sent)
		m.saw[sawImpossibleWelcome] = true
		m.leave(s, c)
		if !m.rules.triesAgain {
			m.forget(s)
		}
	default:
		k.phase = attached
	}
}

// forget has the next Hello begin a new session. A dialer that closes has no use for that when
// nothing is left to send.
func (m *model) forget(s *state) {
	d := &s.dialer
	d.token = 0
	if !m.rules.keepsNonce {
		s.nonces++
		d.nonce, d.number = s.nonces, 0
	}
	if d.closing && d.pending() == 0 && !d.ended {
		d.end()
	}
}

// leave ends the dialer's end of its connection.
func (m *model) leave(s *state, c ref) {
	m.shut(s, c, dialing)
	d := &s.dialer
	if d.conn == c {
		d.conn = 0
	}
	if d.closing && !d.ended && d.kept() == 0 && d.pending() == 0 {
		d.end()
	}
}

// restartDialer ends the dialer's process, and begins another.
func (m *model) restartDialer(s *state) {
	for i := range s.conns {
		if s.conns[i].at[dialing] != (side{}) {
			s.conns[i].at[dialing] = side{}
			s.conns[i].to[dialing] = pipe{cut: s.conns[i].to[dialing].cut}
			s.tidy(ref(i + 1))
		}
	}
	n := s.dialer.accepted
	s.nonces++
	s.dialer = dialer{
		stream:  stream{accepted: n, base: n, ackedOld: n, excused: n},
		nonce:   s.nonces,
		arrived: s.dialer.arrived,
	}
}
