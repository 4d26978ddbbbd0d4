package session

import (
	"fmt"
	"time"
)

// linger bounds how long a closing session may flush.
type linger struct {
	deadline time.Time
	timer    *time.Timer // aborts the session then
}

// settle does what follows from the facts. It is called by whoever has changed one, and is the
// only function that releases the lock for another. The caller holds mu. It releases mu.
func (s *Session) settle() {
	var severed Link
	for {
		s.queued = !s.out.empty()
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
		s.took(st, s.w != nil)
		if st == nothing || st == end {
			s.mu.Unlock()
			if severed != nil {
				severed.Close()
			}
			if st == end {
				s.forget()
			}
			return
		}
	}
}

// refuse turns new messages away. The caller holds mu.
func (s *Session) refuse() {
	if s.phase == open {
		s.phase = ending
		s.out.room.wake()
	}
}

// tellOutage tells that the connection was lost, and dials. The caller holds mu: a Close from now
// on finds callbacks and dialing under way, and so does the shutdown that waits for them after it.
func (s *Session) tellOutage() {
	s.out.rewind()
	s.trim()
	s.in.lifecycle(Event{
		Kind: Disconnected, Err: s.cause, Epoch: s.epoch, Queued: s.out.messages,
	})
	s.dispatch()
	s.dial.Redial(s.proven, s.cause)
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

// close makes Closed the last event. The caller holds mu.
func (s *Session) close() {
	if s.linger != nil {
		s.linger.timer.Stop()
	}
	s.out.clear()
	if s.dial == nil && s.epoch == 0 {
		s.in.end() // the user has not heard of the session
	} else {
		s.in.lifecycle(Event{
			Kind: Closed, Err: s.reason(), Epoch: s.epoch, Queued: s.out.messages,
		})
	}
	s.dispatch()
	if s.done != nil {
		close(s.done)
	}
	s.out.room.wake()
}

// reason returns why the session closes. The caller holds mu.
func (s *Session) reason() error {
	if s.abort || s.state == StateConnected {
		return s.cause
	}
	return nil // the last outage was told, and nothing was left to be sent
}

// forget tells those around a session that has closed.
func (s *Session) forget() {
	if s.dial != nil {
		s.dial.Stop()
	}
	if s.onClosed != nil {
		s.onClosed()
	}
	s.cfg.Host.Forget(Driver{s})
}

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
	if s.state != StateConnecting || !s.dialable() {
		return
	}
	s.to(StateDisconnected)
	first := s.epoch == 0 && s.cause == nil
	s.cause, s.failed = err, err
	if first {
		s.in.lifecycle(Event{Kind: Disconnected, Err: err, Queued: s.out.messages})
		s.dispatch()
	}
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
// nothing if the session has closed, or is being ended by an earlier call.
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
	s.linger = &linger{
		deadline: time.Now().Add(s.cfg.Linger),
		timer:    time.AfterFunc(s.cfg.Linger, s.lingerEnds),
	}
	if s.dial != nil && s.conn == nil {
		s.dial.Kick()
	}
}

// lingerEnds ends a session that could not flush in time.
func (s *Session) lingerEnds() {
	s.mu.Lock()
	cause := ErrLinger
	if s.conn == nil && s.cause != nil {
		cause = fmt.Errorf("%w: %w", ErrLinger, s.cause)
	}
	s.abortWith(cause)
	s.settle()
}

// abortWith makes the session end without a flush. The caller holds mu, and settles.
func (s *Session) abortWith(cause error) {
	if s.abort || s.state == StateClosed {
		return
	}
	s.refuse()
	s.abort, s.cause = true, cause
}
