package resume

// find finds the session that a Hello belongs to.
func (m *model) find(s *state, f frame) (r ref, byToken bool) {
	for i := range s.sessions[:s.begun] {
		if a := &s.sessions[i]; a.live && f.token != 0 && a.token == f.token {
			return ref(i + 1), true
		}
	}
	for i := range s.sessions[:s.begun] {
		if a := &s.sessions[i]; a.live && a.nonce == f.nonce && (r == 0 || s.sessions[r-1].number < a.number) {
			r = ref(i + 1)
		}
	}
	return r, false
}

// judge decides about the Hello of a connection.
func (m *model) judge(s *state, c ref, f frame) {
	h := Hello{
		Version: Version, Continue: f.goesOn, Only: f.only,
		Number: uint64(f.number), Received: uint64(f.count),
	}
	h.Nonce[0] = f.nonce
	r, byToken := m.find(s, f)
	var known *Known
	if r != 0 {
		a := &s.sessions[r-1]
		known = &Known{Number: uint64(a.number), Heard: a.heard}
		known.Nonce[0] = a.nonce
	}
	verdict, code := m.rules.judge(&h, known, byToken, "", false)
	k := &s.conns[c-1].at[listening]
	k.turn, k.phase = f, judged
	switch verdict {
	case Deny:
		m.saw[sawOldHello] = m.saw[sawOldHello] || code == RefuseStale
		m.refuse(s, c, code)
	case Carry:
		k.session, k.goesOn = r, byToken
	case StartOver:
		m.doubt("start over")
		m.over(s, r)
		m.begin(s, c, f)
	case Begin:
		if !m.rules.beginsLater {
			m.begin(s, c, f)
		}
	}
}

func (m *model) refuse(s *state, c ref, code Code) {
	s.write(c, dialing, frame{kind: KindRefuse, count: uint8(code)})
	m.shut(s, c, listening)
}

// begin makes a session for a connection.
func (m *model) begin(s *state, c ref, f frame) {
	if s.begun == maxSessions {
		m.fail("more than %d sessions at the listener", maxSessions)
		return
	}
	if f.useless {
		m.fail("a session is begun for a dialer that has no use for it")
	}
	s.tokens++
	s.sessions[s.begun] = accepted{live: true, nonce: f.nonce, number: f.number, token: s.tokens, claim: c}
	s.begun++
	k := &s.conns[c-1].at[listening]
	*k = side{phase: claimed, session: ref(s.begun)}
}

// claim takes a session for a connection: it ends the connection before, and asks what was received
// when nothing of that can come any more.
func (m *model) claim(s *state, c ref) bool {
	k := &s.conns[c-1].at[listening]
	if k.phase != judged {
		return false
	}
	f := k.turn
	if k.session == 0 {
		m.begin(s, c, f)
		return true
	}
	a := &s.sessions[k.session-1]
	switch {
	case !a.live:
		m.saw[sawGone] = true
		if m.rules.goneBegins {
			m.begin(s, c, f)
		} else {
			m.judge(s, c, f) // another one decided first: it is looked for again
		}
		return true
	case f.number <= a.number && !m.rules.claimsBlindly:
		m.saw[sawOldClaim] = true
		m.refuse(s, c, RefuseStale)
		return true
	}
	a.number = f.number
	if old := a.conn; old != 0 {
		if old == s.dialer.conn {
			m.fail("a connection that is no newer has taken over")
		}
		a.conn = 0
		m.saw[sawTakeOver] = true
		m.saw[sawTakeOverInTurn] = m.saw[sawTakeOverInTurn] || s.conns[old-1].at[listening].turn.kind != 0
		m.shut(s, old, listening)
	}
	a.claim = c
	received := f.count
	if !k.goesOn {
		m.saw[sawLostWelcome] = true
		if !m.rules.believesReceived {
			received = 0
		}
		s.tokens++
		a.token = s.tokens
		if a.received != 0 {
			m.fail("a session that was never heard has received %d", a.received)
		}
	}
	if !m.resume(&a.stream, received) {
		m.saw[sawImpossibleHello] = true
		m.doubt("the Hello says %d of %d to %d", received, a.acked, a.sent)
		m.over(s, k.session)
		if f.only {
			m.refuse(s, c, RefuseUnknown)
		} else {
			m.begin(s, c, f)
		}
		return true
	}
	k.phase, k.ours, k.turn = claimed, a.received, frame{}
	return true
}

// welcome answers.
func (m *model) welcome(s *state, c ref) bool {
	k := &s.conns[c-1].at[listening]
	if k.phase != claimed {
		return false
	}
	a := &s.sessions[k.session-1]
	if a.claim != c || !a.live && !m.rules.expiresClaimed {
		m.shut(s, c, listening)
		return true
	}
	k.phase, k.told = welcomed, k.ours
	s.write(c, dialing, frame{kind: KindWelcome, goesOn: k.goesOn, count: k.ours, token: a.token})
	return true
}

// attach begins the connection, if the session still waits for it.
func (m *model) attach(s *state, c ref) bool {
	k := &s.conns[c-1].at[listening]
	if k.phase != welcomed {
		return false
	}
	a := &s.sessions[k.session-1]
	if a.claim != c || !a.live && !m.rules.expiresClaimed {
		m.saw[sawLateAttach] = true
		m.shut(s, c, listening)
		return true
	}
	a.claim, a.conn = 0, c
	k.phase = attached
	return true
}

// readListener reads a frame at the listener's end.
func (m *model) readListener(s *state, c ref) bool {
	k := &s.conns[c-1].at[listening]
	f := s.conns[c-1].to[listening].frames[0]
	if k.phase == greeting {
		s.take(c, listening)
		m.judge(s, c, f)
		return true
	}
	if k.phase != attached {
		return false
	}
	a := &s.sessions[k.session-1]
	switch {
	case f.kind == kindData:
		if !m.readData(s, c, listening) {
			return false
		}
		a.heard = true
		return true
	case f.kind == KindAck:
		s.take(c, listening)
		a.heard = true
		if !a.acknowledge(f.count) {
			m.badAck("the dialer", f.count, &a.stream)
			m.lose(s, c)
		} else if a.closing && k.bye && a.kept() == 0 {
			m.over(s, k.session)
		}
		return true
	case f.kind == KindBye && k.turn.kind == 0 && s.room(c, dialing, 1):
		s.take(c, listening)
		s.write(c, dialing, frame{kind: KindAck, count: a.received})
		m.saw[sawByeOfDialer] = true
		if f.count != a.received {
			m.doubt("the dialer has sent %d and the session received %d", f.count, a.received)
		}
		m.over(s, k.session)
		return true
	}
	return false
}

// lose ends the listener's end of a connection, whose session then waits for another one.
func (m *model) lose(s *state, c ref) {
	r := s.conns[c-1].at[listening].session
	m.shut(s, c, listening)
	if r == 0 {
		return
	}
	a := &s.sessions[r-1]
	if a.claim == c {
		a.claim = 0
	}
	if a.conn == c || m.rules.losesNewer {
		a.conn = 0
		if a.closing && !m.rules.waits {
			m.over(s, r)
		}
	}
}

// over ends a session for good, and tells what is in doubt.
func (m *model) over(s *state, r ref) {
	a := &s.sessions[r-1]
	if !a.live {
		return
	}
	a.live = false
	a.stream.end()
	if a.conn != 0 && a.conn == s.dialer.conn {
		m.saw[sawHalfClosed] = true
	}
	if c := a.conn; c != 0 && !m.rules.expiresClaimed {
		a.conn = 0
		m.shut(s, c, listening)
	}
}

// restartListener ends the listener's process, and begins another. A Hello that nobody has read yet
// may be for either.
func (m *model) restartListener(s *state) {
	for i := range s.conns {
		k := &s.conns[i]
		if k.used && k.at[listening].phase != greeting {
			k.at[listening] = side{}
			k.to[listening] = pipe{cut: k.to[listening].cut}
			s.tidy(ref(i + 1))
		}
	}
	for i := range s.sessions[:s.begun] {
		a := &s.sessions[i]
		a.live, a.conn, a.claim = false, 0, 0
		a.excused = a.accepted
	}
}
