package engine

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// handLoop is an event loop that does everything only when it is told: it takes a connection, reads
// it, closes it. It serves one link. What a link uses of gnet is as gnet 2.10 has it: enroll waits
// until the loop has opened the connection, an action Close is followed by OnClose, and that by the
// end of the descriptor.
//
// The number of a descriptor that ends is taken at once by a trap, as another connection might in
// life. What is written to the trap was written too late.
type handLoop struct {
	l       *link
	current *handConn   // is read
	closing []*handConn // of which OnClose is to come
	spent   []int       // numbers that the trap has taken
	buf     [4 << 10]byte
	trap    [2]int // of a socket pair: what is written to the first shows at the second

	mu    sync.Mutex // guards offer
	offer *offer     // of the reader, which waits for the answer

	enrolling atomic.Int32 // calls of enroll: the loop may have answered before one returns
}

// offer is a connection on its way to the loop.
type offer struct {
	c        *handConn
	answered chan struct{}
}

// handConn is a connection on the loop. What it does not define, a link must not use.
type handConn struct {
	gnet.Conn
	fd    int
	read  []byte
	asked atomic.Bool // to be closed, by Close
}

func (c *handConn) Fd() int              { return c.fd }
func (c *handConn) Close() error         { c.asked.Store(true); return nil }
func (c *handConn) LocalAddr() net.Addr  { return &net.UnixAddr{Net: "unix"} }
func (c *handConn) RemoteAddr() net.Addr { return &net.UnixAddr{Net: "unix"} }

// Next takes all that was read.
func (c *handConn) Next(int) ([]byte, error) {
	p := c.read
	c.read = nil
	return p, nil
}

func newHandLoop() (*handLoop, error) {
	trap, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	return &handLoop{trap: trap}, err
}

// enroll is host.enroll.
func (p *handLoop) enroll(conn net.Conn, _ *link) (err error) {
	p.enrolling.Add(1)
	defer p.enrolling.Add(-1)
	defer conn.Close()
	c := new(handConn)
	controlFD(conn, func(fd int) { c.fd, err = dup(fd) })
	if err != nil {
		return err
	}
	o := &offer{c, make(chan struct{})}
	p.mu.Lock()
	p.offer = o
	p.mu.Unlock()
	<-o.answered
	return nil
}

// offered reports whether a connection is on its way.
func (p *handLoop) offered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.offer != nil
}

// take answers an offer: the loop opens the connection, or its poller has refused it.
func (p *handLoop) take(open bool) bool {
	p.mu.Lock()
	o := p.offer
	p.offer = nil
	p.mu.Unlock()
	if o == nil {
		return false
	}
	if open {
		p.open(o.c)
	} else {
		p.end(o.c)
	}
	close(o.answered)
	return true
}

// open opens a connection.
func (p *handLoop) open(c *handConn) {
	if p.l.opened(c) == gnet.Close {
		p.l.lost(c, nil)
		p.end(c)
		return
	}
	p.current = c
}

// traffic reads the connection once, and reports whether there was anything.
func (p *handLoop) traffic() bool {
	c := p.current
	if c == nil {
		return false
	}
	n, err := unix.Read(c.fd, p.buf[:])
	switch {
	case errors.Is(err, unix.EAGAIN):
		return false
	case err != nil || n == 0:
		if n == 0 {
			err = io.EOF
		}
		p.current = nil
		p.l.lost(c, os.NewSyscallError("read", err))
		p.end(c)
	default:
		c.read = p.buf[:n]
		if p.l.traffic(c) == gnet.Close {
			p.current = nil
			p.closing = append(p.closing, c)
		}
		clear(p.buf[:n]) // it is the next read's
	}
	return true
}

// stop ends the connection as gnet does when it stops.
func (p *handLoop) stop() bool {
	if p.current == nil {
		return false
	}
	p.current.asked.Store(true)
	return p.close()
}

// close has OnClose come where it is due: also long after the link has left the loop, so that it
// may have come back by then.
func (p *handLoop) close() bool {
	if c := p.current; c != nil && c.asked.Load() {
		p.current = nil
		p.closing = append(p.closing, c)
	}
	any := len(p.closing) > 0
	for _, c := range p.closing {
		p.l.lost(c, nil)
		p.end(c)
	}
	p.closing = nil
	return any
}

// end ends a descriptor.
func (p *handLoop) end(c *handConn) {
	_ = unix.Dup3(p.trap[0], c.fd, unix.O_CLOEXEC)
	p.spent = append(p.spent, c.fd)
}

// late ends the trap, and returns how many bytes are in it, or 1 KiB if there are more.
func (p *handLoop) late() int {
	for _, fd := range append(p.spent, p.trap[0]) {
		_ = unix.Close(fd)
	}
	n, _ := unix.Read(p.trap[1], make([]byte, 1<<10))
	_ = unix.Close(p.trap[1])
	return n
}
