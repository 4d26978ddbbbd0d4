package session

import (
	"io"
	"time"
)

// linger bounds how long a closing session may flush.
type linger struct {
	deadline time.Time
	timer    *time.Timer // aborts the session then
}

// Close ends the session gracefully and returns at once: new messages are refused, what is queued
// is flushed for up to Linger, then comes the Closed event; wait for that, or for Done. A dialed
// session that has no connection goes on dialing for that long if it holds messages, beginning at
// once. What was not sent by then Closed tells by its Queued. Without messages there is nothing to
// wait for. Close always returns nil.
func (s *Session) Close() error {
	s.mu.Lock()
	s.beginEnding()
	s.settle()
	return nil
}

// CloseNow ends the session at once, in any state, without flushing: the connection is cut, and
// what was not sent is lost. Closed follows with cause as its Err, nil for a clean local end, and
// with the number of messages that were lost. It is for a peer that is to be thrown out. It does
// nothing if the session has closed, or an earlier CloseNow or the end of Linger is ending it.
func (s *Session) CloseNow(cause error) {
	s.mu.Lock()
	s.abortWith(cause)
	s.settle()
}

// beginEnding refuses messages and bounds the time to flush. The caller holds mu, and settles.
func (s *Session) beginEnding() {
	if s.phase != open {
		return
	}
	s.refuse()
	s.startLinger()
	if s.dialed() && s.conn == nil {
		s.dial.Kick()
	}
}

// startLinger bounds the time that is left to the session. The caller holds mu.
func (s *Session) startLinger() {
	if s.linger == nil {
		s.linger = &linger{
			deadline: time.Now().Add(s.cfg.Linger),
			timer:    time.AfterFunc(s.cfg.Linger, s.lingerEnds),
		}
	}
}

// lingerEnds ends a session that could not flush in time.
func (s *Session) lingerEnds() {
	s.mu.Lock()
	s.abortWith(s.lingerCause())
	s.settle()
}

// lingerCause is why a session ends whose Linger has ended. The caller holds mu.
func (s *Session) lingerCause() error {
	var before error
	switch {
	case s.conn == nil:
		before = s.cause
	case s.conn.finished && s.out.messages == 0:
		return io.EOF // the user has not had all that was received, and still can
	case s.conn.finished:
		before = io.EOF
	}
	if before == nil {
		return ErrLinger
	}
	return &caused{ErrLinger, before}
}

// abortWith makes the session end without a flush. The caller holds mu, and settles.
func (s *Session) abortWith(cause error) {
	if s.abort || s.state == StateClosed {
		return
	}
	s.refuse()
	s.abort, s.cause = true, cause
}

// refuse turns new messages away. The caller holds mu.
func (s *Session) refuse() {
	if s.phase == open {
		s.phase = ending
		s.hope = s.hope && s.dialed()
		s.out.room.wake()
		s.resume.lookAgain()
	}
}

// beginGoodbye says goodbye to the peer, in a goroutine. What still arrives is thrown away, so
// that the peer can end. The caller holds mu.
func (s *Session) beginGoodbye(c *Conn) {
	s.in.stop()
	var deadline time.Time
	if s.linger != nil {
		s.linger.timer.Stop()
		deadline = s.linger.deadline
	}
	go s.finish(c, deadline)
}

// finish waits until the peer has all that was written, and ends the connection.
func (s *Session) finish(c *Conn, deadline time.Time) {
	c.link.Finish(deadline)
	s.mu.Lock()
	s.writing = false
	if s.conn == c {
		s.detach(nil)
	}
	s.settle()
	c.link.Close()
}
