package netasynctest

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// conn is one end of a connection: a net.Conn with CloseWrite. It is no *net.TCPConn, so the library
// serves it off the event loops.
type conn struct {
	n             *Network
	in, out       *stream
	local, remote Addr
	closed        bool // guarded by the network's lock, as is resets
	resets        bool // Close resets the connection
}

// connect makes a connection between two hosts. The caller holds mu.
func (n *Network) connect(from, to Addr) (ours, theirs *conn) {
	there, back := n.stream(from, to), n.stream(to, from)
	there.back, back.back = back, there
	ours = &conn{n: n, in: back, out: there, local: from, remote: to}
	theirs = &conn{n: n, in: there, out: back, local: to, remote: from}
	return ours, theirs
}

// stream makes one direction of a connection. The caller holds mu.
func (n *Network) stream(from, to Addr) *stream {
	s := &stream{n: n, lane: n.lane(from.Host, to.Host), moved: sync.Cond{L: &n.mu}}
	s.lane.streams[s] = true
	return s
}

// Read returns what has arrived, at least a byte, and waits for it.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	return n, c.error("read", err)
}

// Write returns when all is under way, which it copies.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.error("write", err)
}

// CloseWrite says to the peer that nothing more will come.
func (c *conn) CloseWrite() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed {
		return c.error("close", net.ErrClosed)
	}
	c.out.finish(syscall.EPIPE, ending{read: io.EOF})
	return nil
}

// Close ends this end. What is under way arrives, then the peer reads io.EOF; what it writes from then
// on fails, and what it had written before is lost.
func (c *conn) Close() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed {
		return c.error("close", net.ErrClosed)
	}
	if c.resets {
		c.abort(syscall.ECONNRESET)
	} else {
		c.leave(ending{io.EOF, syscall.EPIPE})
	}
	return nil
}

// SetLinger is for 0, as with TCP: from now on Close resets the connection.
func (c *conn) SetLinger(sec int) error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.resets = sec == 0
	return nil
}

// abort ends this end, and the peer gets an error. The caller holds the network's lock.
func (c *conn) abort(err error) { c.leave(ending{err, err}) }

// leave ends this end: there is no reader any more, and behind what was written comes an end.
func (c *conn) leave(e ending) {
	c.closed = true
	c.in.abandon(net.ErrClosed)
	c.out.finish(net.ErrClosed, e)
	c.in.readBy.stop()
	c.out.writeBy.stop()
}

// error says more about an error, as those of package net do.
func (c *conn) error(op string, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return &net.OpError{Op: op, Net: c.local.Net, Source: c.local, Addr: c.remote, Err: err}
}

// LocalAddr returns our address, an Addr.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the peer's address, an Addr.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets that of reads and that of writes.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline sets when reads fail; the zero Time is never.
func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadline(c.in, &c.in.readBy, t) }

// SetWriteDeadline sets when writes fail; the zero Time is never.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(c.out, &c.out.writeBy, t) }

func (c *conn) setDeadline(s *stream, d *deadline, t time.Time) error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed {
		return c.error("set", net.ErrClosed)
	}
	d.set(t, s.wake)
	s.moved.Broadcast()
	return nil
}

// deadline is when an operation fails.
type deadline struct {
	at    time.Time // zero: never
	timer *time.Timer
}

// set changes the deadline, and calls wake when it has passed.
func (d *deadline) set(at time.Time, wake func()) {
	d.stop()
	d.at = at
	if left := time.Until(at); !at.IsZero() && left > 0 {
		d.timer = time.AfterFunc(left, wake)
	}
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }
