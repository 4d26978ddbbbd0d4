package session

import "io"

// This is what an accepted session does when its peer has said that it will send no more, but may
// still read: many ask, half-close, and wait for the answers. Whether it reads cannot be known: an
// end of the stream looks the same when the peer has gone. Then its system answers the next bytes by
// a reset, and so a heartbeat asks.

// quietPart is the part of Linger for which the user has to be quiet to have answered all.
const quietPart = 10

// PeerFinished says that the peer has ended the stream. It reports whether the connection goes on,
// because the user may have answers to send; if so the engine keeps it for writing as long as Owes
// says, and then calls End. It is for the reader.
func (c *Conn) PeerFinished() (goesOn bool) {
	s := c.s
	if s.dial != nil || !c.dec.Idle() {
		return false
	}
	s.mu.Lock()
	silent := s.out.empty() && !s.writing && !s.in.hasReceived() // nothing was asked
	if s.conn != c || s.phase >= goodbye || c.writeErr != nil || silent {
		s.mu.Unlock()
		return false
	}
	c.finished = true
	s.startLinger()
	s.mu.Unlock()
	return true
}

// Owes reports whether a connection whose peer has finished is still needed. Once the user has
// answered all, it begins the session's end. Until then it sends heartbeats: the peer may go at any
// time. It is to be called every now and then, by one goroutine.
func (c *Conn) Owes() bool {
	s := c.s
	s.mu.Lock()
	if s.conn != c {
		s.mu.Unlock()
		return false
	}
	if c.answered() {
		s.beginEnding()
	}
	s.settle()
	if s.cfg.Greets { // else the peer may be one that takes no heartbeats
		s.heartbeat(c)
	}
	return true
}

// answered reports whether the user has had all that was received, and nothing was received, had
// or sent for a while. The caller holds Session.mu.
func (c *Conn) answered() bool {
	s := c.s
	now, quiet := s.now(), int64(s.cfg.Linger/quietPart)
	if s.writing || !s.out.empty() || s.stats.sent != c.sentBefore || !s.in.allTaken() {
		c.busy, c.sentBefore = now, s.stats.sent
	}
	return now-max(c.busy, c.lastRead.Load()) >= quiet
}

// endOfStream is how a connection has ended whose peer had finished, or said goodbye, before, whatever
// ended it then.
func (c *Conn) endOfStream(err error) error {
	if c.finished || c.acks != nil && c.acks.parted {
		return io.EOF
	}
	return err
}
