package session

import (
	"time"

	"github.com/netasync/netasync/codec"
)

// Any byte is a sign of life, but a frame that has begun also has to come on: a peer that sends a
// byte now and then would keep its place, and our memory, for ever.
//
// Conn.paid is how far the frame under way has kept pace with MinRate: an instant, which begins
// with the frame, and which each byte moves on by the time that MinRate gives for it, though never
// beyond the present. A frame whose instant lies HeartbeatTimeout back is too slow. Time in which
// we do not read moves the instant on as well. 0 says that no frame is under way.
//
// The reader sets it, once for each read. Tick looks at it, and moves it on after a suspension:
// therefore both change it by compare and swap.

// decode is Next of the decoder, and notes how a frame of several reads comes on. It is for the
// reader.
func (c *Conn) decode(p []byte) (f codec.Frame, n int, complete bool, err error) {
	f, n, complete, err = c.dec.Next(p)
	switch {
	case err != nil:
	case !complete:
		c.advance(n)
		c.account(c.dec.Held())
	case c.paid.Load() != 0:
		c.acks.pardon(c.lastRead.Load()) // before that is seen
		c.paid.Store(0)
		c.account(0)
	}
	return f, n, complete, err
}

// advance notes that so many bytes of an unfinished frame have come.
func (c *Conn) advance(bytes int) {
	now := max(c.lastRead.Load(), 1)
	if c.paid.Load() == 0 {
		c.paid.Store(now)
		return
	}
	if rate := int64(c.s.cfg.MinRate); rate > 0 {
		c.movePaid(now, int64(bytes)*int64(time.Second)/rate)
	} else {
		c.movePaid(now, now)
	}
}

// movePaid moves paid on by so much, but not beyond now, if a frame is under way.
func (c *Conn) movePaid(now, by int64) {
	for {
		paid := c.paid.Load()
		if paid == 0 || paid >= now || c.paid.CompareAndSwap(paid, paid+min(by, now-paid)) {
			return
		}
	}
}

// slow reports whether the frame under way has fallen behind MinRate by HeartbeatTimeout. A late
// tick gives it all of that anew, as in pardon: we may not have read, or the peer may have been
// suspended; but not twice in a row. It is Tick's own.
func (c *Conn) slow(now int64, late, holding bool) bool {
	if late && !c.spared {
		c.movePaid(now, now)
	}
	c.spared = late
	paid := c.paid.Load()
	if c.s.cfg.MinRate == 0 || paid == 0 || holding || now-paid < int64(c.s.cfg.HeartbeatTimeout) {
		return false
	}
	pulse, known := c.link.Pulse()
	return !known || !pulse.Unread // what waits to be read is not counted yet
}
