package session

// settle does what follows from the facts, and releases mu, which the caller holds. It is to be
// called after a fact was changed, and is the only function that releases the lock for its caller.
func (s *Session) settle() {
	var severed Link
	for {
		s.prepareGoodbye()
		s.left = s.whatIsLeft()
		st := s.next()
		switch st {
		case emptyWriteChan:
			s.refuse()
			if s.w != nil {
				close(s.w.ending)
			}
		case cut:
			severed = s.conn.link
			s.detach(s.conn.writeErr)
		case outage:
			s.tellOutage()
		case write:
			go s.conn.flush()
		case sayGoodbye:
			s.beginGoodbye(s.conn)
		case end:
			s.close()
		}
		s.apply(st, s.w != nil)
		if st == nothing || st == end {
			s.mu.Unlock()
			if severed != nil {
				severed.Close()
			}
			if st == end {
				s.leave()
			}
			return
		}
	}
}

// tellOutage tells that the connection was lost, and dials. The caller holds mu: a Close from now
// on finds callbacks and dialing under way, and so does the shutdown that waits for them after it.
func (s *Session) tellOutage() {
	told := s.cause
	if s.out.rewind() {
		told = s.undeliverable()
	}
	unsent := s.handBack(ErrNotConnected)
	s.trim()
	if s.resume == nil {
		s.bury(s.out.messages)
	}
	s.noteLost()
	s.lifecycle(Event{
		Kind: Disconnected, Err: told, Epoch: s.epoch, Queued: s.out.queued(), Unsent: unsent,
	})
	if unsent != nil {
		s.forgetUnsent()
	}
	s.dispatch()
	s.dial.Redial(s.proven, s.cause)
	s.resume.lookAgain()
}

// undeliverable counts a message that was dropped since connections ended within it, and returns
// what is told of it. The caller holds mu.
func (s *Session) undeliverable() error {
	s.stats.dropped++
	s.stats.undeliverable++
	s.noteUndeliverable()
	if s.cause == nil {
		return ErrUndeliverable
	}
	return &caused{ErrUndeliverable, s.cause}
}

// close makes Closed the last event. The caller holds mu.
func (s *Session) close() {
	if s.linger != nil {
		s.linger.timer.Stop()
	}
	s.cause = s.reason()
	s.loseKept()
	s.bury(s.out.messages)
	s.out.lost = s.out.messages+s.out.doubtful > 0
	unsent := s.handBack(s.closedError())
	if s.out.clear(); s.out.lost {
		s.out.failFlushes(s.closedError(), 0)
	}
	if !s.dialed() && s.epoch == 0 {
		s.in.end() // the user has not heard of the session
	} else {
		s.noteClosed()
		s.lifecycle(Event{
			Kind: Closed, Err: s.cause, Epoch: s.epoch, Queued: s.out.messages, Unsent: unsent,
			Lost: clampInt32(s.out.doubtful),
		})
	}
	s.dispatch()
	s.tellEnd()
	s.out.room.wake()
}

// reason returns why the session closes. The caller holds mu.
func (s *Session) reason() error {
	if s.abort || s.state == StateConnected {
		return s.cause
	}
	return nil // the last outage was told, and nothing was left to be sent
}

// leave tells those around that the session has closed. The host, which forgets it, is the last, also
// behind what a logger is being told: others do not wait for a logger.
func (s *Session) leave() {
	if s.dial != nil {
		s.dial.Stop()
	}
	if s.onClosed != nil {
		s.onClosed()
	}
	s.leaveGroups()
	s.mu.Lock()
	s.hasLeft = true
	tells := s.journal != nil && s.journal.telling
	s.mu.Unlock()
	if !tells {
		s.cfg.Host.Forget(Driver{s})
	}
}

// saysGoodbye reports whether a session with Resume ends its connection by a goodbye. The caller holds mu.
func (s *Session) saysGoodbye() bool {
	return s.begun() && s.phase >= sealed && !s.conn.acks.parted
}

// prepareGoodbye has what belongs to a goodbye written. The caller holds mu.
func (s *Session) prepareGoodbye() {
	k := s.out.kept
	if k == nil || !s.saysGoodbye() {
		return
	}
	a := s.conn.acks
	if !a.byeSaid {
		k.control.bye = true
	}
	if a.byeHeard && a.news() > 0 {
		k.control.ack = true // the last one: what comes later is thrown away
	}
}

// whatIsLeft returns what is left to be done for messages. The caller holds mu.
func (s *Session) whatIsLeft() leftover {
	o, k := &s.out, s.out.kept
	if k == nil {
		if o.messages > 0 {
			return toWrite
		}
		return none
	}
	says := s.saysGoodbye()
	switch {
	case o.ready() || says && (k.control.bye && o.written() || k.control.ack && s.conn.acks.byeHeard):
		return toWrite
	case o.queued() > 0 || says && !s.conn.acks.byeHeard || !s.begun() && s.resume.owesBye:
		return toAwait
	}
	return none
}

// loseKept ends what is kept, as the session closes: what may be with the peer is doubtful, and all
// else was never sent. The caller holds mu.
func (s *Session) loseKept() {
	o, k := &s.out, s.out.kept
	if k == nil {
		return
	}
	o.rewind()
	o.doubtful = k.startOver(false)
	s.stats.lost += uint64(o.doubtful)
	if !s.cfg.ResendLost { // else it is in what is kept
		o.doubtful += s.resume.lost // that no Connected has told
	}
	o.messages += k.messages
	o.bytes += k.bytes
	if s.cfg.WhileDown == Refuse { // all of that is handed back
		all := new(frames)
		for _, row := range append(k.rows, o.pending) {
			if !row.empty() {
				all.append(row)
			}
		}
		o.pending = all
	}
}
