package resume

// send accepts a message of the user.
func (t *stream) send() { t.accepted++ }

// next writes the next message, if there is one that this connection has not yet carried. It gets its
// number by that, unless it has one.
func (t *stream) next() (id uint8, ok bool) {
	if t.base+t.written == t.accepted {
		return 0, false
	}
	t.written++
	t.sent = max(t.sent, t.written)
	return t.base + t.written, true
}

// acknowledge notes that the peer has received so many. It reports false if that cannot be.
func (t *stream) acknowledge(received uint8) bool {
	if !Plausible(uint64(received), uint64(t.acked), uint64(t.sent)) {
		return false
	}
	t.acked = received
	return true
}

// resume begins a connection whose peer has received so many.
func (m *model) resume(t *stream, received uint8) bool {
	if !t.acknowledge(received) {
		return false
	}
	t.written = t.acked
	if m.rules.forgetsWritten {
		t.acked = t.sent
	}
	if m.rules.forgetsWritten || m.rules.sendsOnce {
		t.written = t.sent
	}
	return true
}

// restart begins another session, and tells what is in doubt.
func (m *model) restart(t *stream) {
	if !m.rules.hidesLost && !m.rules.resendsUnasked {
		t.lost += t.kept()
	}
	m.saw[sawLost] = m.saw[sawLost] || t.kept() > 0
	m.saw[sawSentAgain] = m.saw[sawSentAgain] || t.kept() > 0 && m.rules.resendLost
	t.ackedOld += t.acked
	if m.rules.resendLost || m.rules.resendsUnasked {
		t.base += t.acked
	} else {
		t.base += t.sent
	}
	t.sent, t.acked, t.written, t.received = 0, 0, 0, 0
}

// end closes the stream, and tells what is in doubt and what was never sent.
func (t *stream) end() {
	t.lost += t.kept()
	t.queued = t.pending()
	t.ackedOld += t.acked
	t.base = t.accepted
	t.sent, t.acked, t.written = 0, 0, 0
	t.ended = true
}

// count is the moment in which a message that was read is received, unless the connection was
// stopped before, which then has emptied turn.
func (m *model) count(s *state, c ref, e end) bool {
	k := &s.conns[c-1].at[e]
	f := k.turn
	if f.kind != kindData || (k.phase != attached && !m.rules.countsOn) {
		return false
	}
	k.turn = frame{}
	if e == dialing {
		s.dialer.received++
	} else if a := &s.sessions[k.session-1]; a.live {
		a.received++
	}
	if !m.rules.countsLate {
		m.arrive(s, k, e, f)
	}
	s.tidy(c)
	return true
}

// arrive writes down that a user has got a message, and whether that was the right one.
func (m *model) arrive(s *state, k *side, e end, f frame) {
	// Of the dialer's messages the order is that within a session of the listener, and conversely.
	from, arrived := &s.dialer.stream, &s.dialer.arrived
	at := &s.sessions[max(k.session, f.sentFrom)-1]
	if e == dialing {
		from, arrived = &at.stream, &at.arrived
	}
	bit := uint8(1) << (f.id - 1)
	switch {
	case f.id > from.accepted:
		m.fail("message %d was never sent", f.id)
	case *arrived&bit != 0 && !m.rules.resendLost:
		m.fail("duplicate: message %d", f.id)
	case f.id <= at.last[e]:
		m.fail("order: message %d came after %d", f.id, at.last[e])
	}
	at.last[e] = f.id
	*arrived |= bit
}
