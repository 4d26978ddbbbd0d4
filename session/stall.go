package session

import "time"

const (
	// stallLooks is how often a connection is looked at within WriteTimeout.
	stallLooks = 4
	// leastLook is the least time between two looks.
	leastLook = time.Millisecond
)

// stall is what the ticks of a connection know of a peer that takes nothing. Only time that was
// looked at counts: a process that was stopped itself counts one look.
type stall struct {
	looked  int64 // when it was looked at last
	passed  int64 // for how long nothing of what waits was acknowledged
	waiting bool  // something waited then
	acked   uint64
	written int64
}

// look returns the time between two looks, or 0 if there is no WriteTimeout.
func (cfg *Config) look() int64 {
	if cfg.WriteTimeout == 0 {
		return 0
	}
	return int64(max(cfg.WriteTimeout/stallLooks, leastLook))
}

// stuck reports whether the peer has acknowledged nothing of what waits for WriteTimeout. It is
// Tick's own. Where the operating system holds nothing, or does not tell, what the link took counts
// as acknowledged.
func (c *Conn) stuck(now int64) bool {
	look := c.s.cfg.look()
	if look == 0 {
		return false
	}
	b := c.link.Backlog()
	was := c.stall
	is := stall{looked: now, acked: b.Acked, written: c.lastWrite.Load()}
	is.waiting = c.awaits(b.Bytes)
	progress := is.acked != was.acked || b.Bytes == 0 && is.written != was.written
	if is.waiting && was.waiting && !progress {
		is.passed = was.passed + min(now-was.looked, look)
	}
	c.stall = is
	return is.passed >= int64(c.s.cfg.WriteTimeout)
}

// awaits reports whether it is for the peer to take what waits, given how many bytes it has not
// acknowledged. What waits for a first word of the peer, for the end of a turn that has the right to
// write, or for the next connection, is not held against it.
func (c *Conn) awaits(unacknowledged int) bool {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c || s.trial() || c.writeErr != nil {
		return false
	}
	return unacknowledged > 0 || s.messagesWait(c) && !s.turnWrites()
}

// messagesWait reports whether messages wait for the peer of the current connection. With Resume they may
// wait for acknowledgements, which we do not see while our reader is held. The caller holds mu.
func (s *Session) messagesWait(c *Conn) bool {
	if s.out.kept == nil {
		return s.out.messages > 0
	}
	return s.out.ready() || s.out.messages > 0 && !s.in.holding(c)
}
