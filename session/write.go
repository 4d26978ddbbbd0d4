package session

import "time"

// This is when what is queued is written, and by which goroutine. One at a time writes: the one that
// has taken the right to, Session.writing.

// hand says what the consumer, which is likely to send, has in hand.
type hand uint32

const (
	alone  hand = iota // nothing is known: a message that is sent may be the only one
	within             // further events of a batch: more is likely to be sent
	atEnd              // the last event of a batch, or the only one: its answer may complete them
	stuck              // the sender is about to wait for room
)

const (
	// corkDelay bounds how long a message waits for others to be written with it.
	corkDelay = 200 * time.Microsecond
	// writePause is how long nothing was written when a sender writes by itself instead of leaving
	// that to a goroutine: a conversation has such pauses. A stream, which is better written in
	// batches, does not.
	writePause = 20 * time.Microsecond
	// flushBytes is how much a goroutine writes that has something else to do, such as an event loop.
	flushBytes = 256 << 10
)

// writer says what is done about a message that was queued while the right to write is free.
type writer uint8

const (
	nobody    writer = iota // it is corked, as others before it
	corking                 // it waits for others, for up to corkDelay
	here                    // its sender writes, as far as that is possible without blocking
	goroutine               // a goroutine writes, which may block
)

// writerFor returns what writes a message that was queued: given what the sender's consumer has in
// hand, whether messages are corked, and for how long nothing was written.
func writerFor(h hand, corked bool, idle time.Duration) writer {
	switch {
	case h == within && corked:
		return nobody
	case h == within:
		return corking
	case h == atEnd || h == alone && idle >= writePause:
		return here
	}
	return goroutine
}

// inHand notes, and reports, whether the consumer of a batch has further events in hand.
func (s *Session) inHand(batch *queue) (more bool) {
	h := atEnd
	switch {
	case !batch.empty():
		h = within
	case s.cfg.ReadBuffer.Policy != PolicyFixed:
		h = alone // a lossy policy always gives one at a time, which says nothing
	}
	if hand(s.hand.Load()) != h {
		s.hand.Store(uint32(h))
	}
	return h == within
}

// handOfSender returns what the consumer has in hand, for a message that it may have sent. Only
// the first message at the end of a batch completes it.
func (s *Session) handOfSender() hand {
	h := hand(s.hand.Load())
	if h == atEnd && !s.hand.CompareAndSwap(uint32(atEnd), uint32(alone)) {
		return alone
	}
	return h
}

// cork holds messages back to be written with others. Session.mu guards it.
type cork struct {
	on    bool        // the timer is running, and will have what is queued written
	timer *time.Timer // calls Session.corkEnds; made when first needed
}

// mayWrite reports whether the right to write to the current connection is to be had. The caller
// holds mu.
func (s *Session) mayWrite() bool {
	return !s.writing && s.begun() && s.conn.writeErr == nil
}

// takeWriting takes the right to write to a connection. It fails if that is over or the right is
// taken. The caller holds mu. Flush gives it back.
func (s *Session) takeWriting(c *Conn) bool {
	if s.conn != c || !s.mayWrite() {
		return false
	}
	s.writing = true
	return true
}

// corked reports whether nothing is to be done now about a message that was queued: the consumer has
// more in hand, and the cork sees to it. It is what queuedBy would find out, for most messages. The
// caller holds mu.
func (s *Session) corked() bool { return s.cork.on && hand(s.hand.Load()) == within }

// needsWriter reports whether somebody is to be found who writes what was queued. Else the writer, the next
// connection or an acknowledgement sees to it. The caller holds mu.
func (s *Session) needsWriter() bool {
	if s.mayWrite() && !s.out.empty() {
		return true
	}
	if s.awaitsAcks() {
		s.search()
	}
	return false
}

// queuedBy is called when something was queued, and sees to it that it is written. If the caller is
// to write, it returns the connection, and the caller has the right to: it releases mu, and
// flushes. The caller holds mu.
func (s *Session) queuedBy(h hand) *Conn {
	if !s.needsWriter() {
		return nil
	}
	c, idle := s.conn, time.Duration(0)
	if h == alone { // else it does not count, and to look at the clock takes time
		idle = time.Duration(s.now() - c.lastWrite.Load())
	}
	switch writerFor(h, s.cork.on, idle) {
	case corking:
		s.corkOn()
	case here:
		s.writing = true
		return c
	case goroutine:
		s.writing = true
		go c.flush()
	case nobody: // the cork sees to it
	}
	return nil
}

// corkOn corks what is queued. The caller holds mu.
func (s *Session) corkOn() {
	s.cork.on = true
	if s.cork.timer == nil {
		s.cork.timer = time.AfterFunc(corkDelay, s.corkEnds)
	} else {
		s.cork.timer.Reset(corkDelay)
	}
}

// corkEnds writes what was corked for long enough.
func (s *Session) corkEnds() {
	s.mu.Lock()
	s.cork.on = false
	c := s.conn
	if s.out.empty() || !s.takeWriting(c) {
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	s.flush(c, true)
}

// uncork writes what the consumer sent while it had events in hand.
func (s *Session) uncork() {
	s.mu.Lock()
	if s.cork.on && s.cork.timer.Stop() { // else corkEnds is on its way
		s.cork.on = false
	}
	c := s.queuedBy(atEnd)
	s.mu.Unlock()
	s.flush(c, false)
}

// flush writes until nothing is queued, or nothing can be written any more, and gives back the
// right to write, which the caller has. If it may not block it writes as long as the link takes all it
// is given, up to flushBytes: what is left, and what was queued meanwhile, is left to a goroutine, and
// the right with it.
func (s *Session) flush(c *Conn, mayBlock bool) {
	if c == nil {
		return // there is nothing to write, or another goroutine writes
	}
	s.mu.Lock()
	for left := flushBytes; s.writable(c); {
		n, all := s.write(c, mayBlock)
		left -= n
		if !mayBlock && (!all || left <= 0) && s.writable(c) {
			s.out.own()
			s.mu.Unlock()
			go c.flush()
			return
		}
	}
	s.out.own()
	if s.conn == c && c.acks != nil && c.acks.parted && c.writeErr == nil {
		go s.finishParted(c, c.acks.allAcked) // which has the right to write now
		s.mu.Unlock()
		return
	}
	s.writing = false
	if s.awaitsAcks() { // since just now, perhaps
		s.search()
	}
	s.settle()
}

// writable reports whether there is something to write to a connection. The caller holds mu.
func (s *Session) writable(c *Conn) bool {
	if s.conn != c || c.writeErr != nil {
		return false
	}
	if c.acks != nil && c.acks.parted {
		return s.out.kept.control.due(false)
	}
	return !s.out.empty()
}

// write gives the link of a connection some of what is queued. If it may not block, the link takes
// what is possible at once. It returns how many bytes that were, and whether the link was given no more.
// The caller holds mu, which is free meanwhile.
func (s *Session) write(c *Conn, mayBlock bool) (n int, all bool) {
	segments, given := s.segments(c), 0
	for _, b := range segments {
		given += len(b)
	}
	s.out.giving = true
	s.mu.Unlock()
	n, err := c.link.Write(segments, mayBlock)
	now := s.now()
	s.mu.Lock()
	s.out.giving = false
	messages, bytes := s.out.sent(n)
	s.stats.sent += uint64(messages)
	s.stats.sentBytes += uint64(bytes)
	if n > 0 {
		c.lastWrite.Store(now)
	}
	s.out.room.wake()
	if err != nil {
		c.writeErr, c.writeFail = err, now
		c.letPass()
		s.in.drain(c)
		if s.conn == c && c.finished { // no reader will find the end
			s.detach(err)
		}
	}
	return n, n == given
}
