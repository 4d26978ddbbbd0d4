package engine

import (
	"errors"
	"io"
	"net"
	"os"

	"github.com/panjf2000/gnet/v2"

	"github.com/netasync/netasync/session"
)

// A link's side on a gnet event loop. The loop calls opened, traffic and lost; writeNow is called
// by the goroutine that has the right to write.

// opened takes a connection that the loop has begun to serve.
func (l *link) opened(c gnet.Conn) gnet.Action {
	l.mu.Lock()
	back := l.conn != nil
	l.mu.Unlock()
	if back {
		return l.takeOver(c)
	}
	if !l.begin(c) {
		return gnet.Close
	}
	l.start(true)
	return l.take(c, l.begins())
}

// begin begins the session's connection on a loop, up to its first callback.
func (l *link) begin(c gnet.Conn) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	l.gc, l.fd, l.begun = c, int32(c.Fd()), true
	l.mu.Unlock()
	return l.attach()
}

// traffic feeds the session what has arrived, and leaves the loop if its user does not keep up:
// gnet cannot stop reading a connection, and would buffer without bound.
func (l *link) traffic(c gnet.Conn) gnet.Action {
	p, err := c.Next(-1)
	if err != nil {
		return gnet.None
	}
	return l.take(c, p)
}

// take feeds the session bytes that have just come.
func (l *link) take(c gnet.Conn, p []byte) gnet.Action {
	if len(p) == 0 {
		return gnet.None
	}
	rest, leave, err := p, false, l.arrived(p)
	if err == nil {
		rest, leave, err = l.feedOnce(p, true)
	}
	if err != nil {
		l.inner.End(err)
		return gnet.Close
	}
	if leave {
		return l.leave(c, rest)
	}
	return gnet.None
}

// lost ends the connection when the loop has done so. After it the loop closes the descriptor.
func (l *link) lost(c gnet.Conn, err error) {
	if l.outlive(c, err) {
		return
	}
	l.mu.Lock()
	if l.gc != c {
		l.mu.Unlock()
		return // it lives on off the loop, or never lived
	}
	l.gc, l.fd, l.ended = nil, -1, true
	l.mu.Unlock()
	defer l.release()
	if l.inner == nil {
		return
	}
	l.inner.End(cause(err))
}

// outlive goes on with a connection whose peer has finished, off the loop, and for writing alone. It
// reports false if there is no need to, or no descriptor for it.
func (l *link) outlive(c gnet.Conn, err error) bool {
	if !errors.Is(err, io.EOF) || !l.on(c) || l.inner == nil || !l.inner.PeerFinished() {
		return false
	}
	conn, err := l.takeOffLoop(c)
	if err != nil {
		return false
	}
	go l.serveAnswers(conn)
	return true
}

// on reports whether the link is still served as c.
func (l *link) on(c gnet.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gc == c
}

// writeNow writes what the loop's descriptor takes at once, and returns what is left. Off the loop
// that is everything.
func (l *link) writeNow(bufs [][]byte) (rest [][]byte, n int, err error) {
	l.mu.Lock() // no defer: it would take stack, and users' goroutines that write are many
	switch {
	case l.closed:
		err = net.ErrClosed
	case l.gc == nil:
		rest = bufs
	default:
		rest, n, err = writeFD(int(l.fd), bufs)
	}
	l.mu.Unlock()
	return rest, n, err
}

// cause makes an error of gnet's one that says what happened. gnet gives none when it closes a
// connection itself, which, unless we asked for it, means that it stops.
func cause(err error) error {
	if err == nil {
		return session.ErrShutdown
	}
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return &net.OpError{Op: sys.Syscall, Net: "tcp", Err: sys}
	}
	return err
}
