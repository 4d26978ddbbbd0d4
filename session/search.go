package session

// Acknowledgements come behind the messages of the peer. So an end that does not read, because its
// user waits in Send for a window that is full, would wait for ever for what it does not read: the
// search for acknowledgements lets it read on, past the bounds, by up to drainBytes. That is more than
// the kernels of two hosts hold of a connection, and behind that is what the peer has acknowledged when
// it last had the chance to. Where the reader itself is in a callback that waits in Send, it is that
// which passes its bound.
//
// Which of the two finds that the other one waits: a reader says that it is held, and then looks
// whether the window is full; who finds the window full, under Session.mu, looks then whether the
// reader is held.

// awaitsAcks reports whether messages wait for the peer to acknowledge others, or the end of the session
// for it to acknowledge all: a user who has closed it may read no more. The caller holds mu.
func (s *Session) awaitsAcks() bool {
	k := s.out.kept
	return k != nil && (k.full() && !s.out.pending.empty() ||
		s.begun() && s.conn.acks.byeSaid && !s.conn.acks.byeHeard)
}

// search lets the reader of the current connection pass its bounds, if it is held, or the callback that
// holds it up. The caller holds mu, and messages wait for acknowledgements.
func (s *Session) search() {
	if s.conn == nil {
		return
	}
	s.in.search(s.conn)
	if s.passesWindow() {
		s.conn.letPass()
	}
}

// searchIfHeld is search for the reader, which is about to wait.
func (c *Conn) searchIfHeld() {
	c.hold()
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == c && s.awaitsAcks() {
		s.in.search(c)
	}
}

// search lets a reader that is held pass the bounds.
func (in *inbox) search(c *Conn) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if c.held && !c.draining {
		in.passBounds(c)
		c.searching = c.draining
	}
}

// endSearch makes the bounds count again.
func (in *inbox) endSearch(c *Conn) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if c.searching {
		c.searching, c.draining = false, false
	}
}

// passesWindow reports whether a callback on a link's own goroutine may pass the write buffer, since
// only the connection that it holds up can make room. The caller holds mu.
func (s *Session) passesWindow() bool {
	limit := &s.cfg.WriteBuffer
	past := max(0, s.out.bytes-limit.Bytes) + max(0, s.out.messages-limit.Cap)*messageCost
	return s.awaitsAcks() && past < drainBytes
}
