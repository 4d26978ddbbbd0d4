package netasynctest

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// listener is where a host is reached. The network's lock guards it.
type listener struct {
	n       *Network
	addr    Addr
	ready   sync.Cond // Accept waits for it
	backlog []*conn
	closed  bool
}

// Accept waits for a connection.
func (l *listener) Accept() (net.Conn, error) {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	for len(l.backlog) == 0 && !l.closed {
		l.ready.Wait()
	}
	if l.closed {
		return nil, l.error("accept")
	}
	c := l.backlog[0]
	l.backlog = l.backlog[1:]
	return c, nil
}

// expect has a connection accepted after a delay: the packet that ends the handshake of TCP is on its
// way as long as the first data, which may come right behind it. The caller holds the lock.
func (l *listener) expect(c *conn, delay time.Duration) {
	if delay > 0 {
		time.AfterFunc(delay, func() {
			l.n.mu.Lock()
			defer l.n.mu.Unlock()
			l.expect(c, 0)
		})
		return
	}
	if l.closed {
		c.abort(syscall.ECONNRESET)
		return
	}
	l.backlog = append(l.backlog, c)
	l.ready.Signal()
}

// Close ends the listener, and resets what nobody has accepted.
func (l *listener) Close() error {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	if l.closed {
		return l.error("close")
	}
	l.close()
	return nil
}

// close is Close with the lock held.
func (l *listener) close() {
	l.closed = true
	delete(l.n.listeners, l.addr)
	for _, c := range l.backlog {
		c.abort(syscall.ECONNRESET)
	}
	l.backlog = nil
	l.ready.Broadcast()
}

func (l *listener) error(op string) error {
	return &net.OpError{Op: op, Net: l.addr.Net, Addr: l.addr, Err: net.ErrClosed}
}

// Addr returns where the listener is reached, an Addr.
func (l *listener) Addr() net.Addr { return l.addr }
