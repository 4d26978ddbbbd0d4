package session

// dialing is Driver.Dialing.
func (s *Session) dialing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dialable() {
		return false
	}
	s.stats.attempts++
	if s.state == StateDisconnected {
		s.to(StateConnecting)
	}
	return true
}

// dialFailed is Driver.DialFailed.
func (s *Session) dialFailed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == StateConnecting && s.dialable() {
		s.attemptFailed(err)
	}
}

// attemptFailed notes that an attempt failed. The caller holds mu.
func (s *Session) attemptFailed(err error) {
	s.to(StateDisconnected)
	first := s.epoch == 0 && s.cause == nil
	s.cause, s.failed = err, err
	s.cfg.Group.attemptFailed()
	if first {
		s.noteUnreachable()
		s.lifecycle(Event{Kind: Disconnected, Err: err, Queued: s.out.queued()})
		s.dispatch()
	}
}

// RetryNow cuts the current back-off of a disconnected session short.
func (s *Session) RetryNow() {
	s.mu.Lock()
	waiting := s.state == StateDisconnected
	s.mu.Unlock()
	if waiting {
		s.dial.Kick()
	}
}
