// Package flaky makes connections that are cut all the time, for the examples that show what becomes of
// messages then.
package flaky

import (
	"context"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"
)

// Link makes connections none of which lives long. Its Dial is for netasync.ConnectOptions.
//
// A cut is that of a real network. At a random moment the link goes dead, maybe within a message: what
// is written then is taken, as an operating system takes it, and never arrives, either way. A little
// later both ends see a reset.
type Link struct {
	Every time.Duration // how long a connection lives, on average; over 0

	cuts atomic.Int64
	calm atomic.Bool
}

// Dial connects, and cuts that connection after up to twice Every.
func (l *Link) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	below, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: below, link: l}
	time.AfterFunc(rand.N(2*l.Every), c.cut)
	return c, nil
}

// Cuts returns how many connections have been cut.
func (l *Link) Cuts() int { return int(l.cuts.Load()) }

// Calm ends the cuts: connections live from now on.
func (l *Link) Calm() { l.calm.Store(true) }

// conn is a connection of a Link. It has no other methods of the one below than those here and of
// net.Conn: nothing is to be written past it.
type conn struct {
	net.Conn
	link  *Link
	phase atomic.Int32
	torn  atomic.Bool // something was written on the dead link
}

const (
	alive = iota
	dead  // cut, and nobody knows
	over  // reset, or closed
)

// cut lets the link be dead for a tenth of the time that a connection lives, and resets it then.
func (c *conn) cut() {
	if c.link.calm.Load() || !c.phase.CompareAndSwap(alive, dead) {
		return
	}
	c.link.cuts.Add(1)
	time.AfterFunc(c.link.Every/10, func() {
		if t, ok := c.Conn.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		_ = c.Close()
	})
}

// Write takes everything on a dead link. Of the first bytes after the cut some arrive, of those behind
// them none.
func (c *conn) Write(b []byte) (int, error) {
	if c.phase.Load() != dead {
		return c.Conn.Write(b)
	}
	if len(b) > 0 && !c.torn.Swap(true) {
		if n, err := c.Conn.Write(b[:rand.IntN(len(b))]); err != nil {
			return n, err
		}
	}
	return len(b), nil
}

// Read throws away what comes after the cut, also what it gets at the moment of the reset.
func (c *conn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || c.phase.Load() == alive {
			return n, err
		}
	}
}

// CloseWrite ends what is sent, in good order, unless the link is dead.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.phase.Load() != dead {
		return half.CloseWrite()
	}
	return nil
}

// Close closes the connection below before a dead link is over: nothing may pass behind what was lost.
func (c *conn) Close() error {
	c.phase.CompareAndSwap(alive, over)
	err := c.Conn.Close()
	c.phase.Store(over)
	return err
}
