package engine

import (
	"net"
	"os"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/netasync/netasync/session"
)

// link is one connection of a session. On an event loop it is a gnet.Conn and
// costs no goroutine; off the loop it is a net.Conn that a goroutine reads. It
// may move between the two, which its session does not see.
//
// Its reader, the loop or the goroutine, feeds recv. Its writer is whoever holds the
// session's flushing token, which a move back to the loop takes as well.
type link struct {
	host          *host
	s             *session.Session
	recv          *session.Conn // set by attach, before anything is read
	local, remote net.Addr

	// mu guards all below. It is a leaf, and never held while anything blocks:
	// gnet closes its descriptor right after OnClose, which takes mu.
	mu      sync.Mutex
	gc      gnet.Conn // on a loop, else nil
	fd      int       // gc's descriptor, written to directly
	conn    net.Conn  // off the loop, else nil
	blocked *os.File  // a duplicate of fd on which a write waits for room
	closed  bool      // Close was called
	met     bool      // the loop has opened the link
	ended   bool      // the reader has seen the end
	off     *offLoop  // made by the first leave
}

var _ session.Link = (*link)(nil)

// newLink returns a link that counts as work until its reader has ended.
func newLink(h *host, s *session.Session, local, remote net.Addr) *link {
	h.work.Add(1)
	return &link{host: h, s: s, local: cloneAddr(local), remote: cloneAddr(remote)}
}

// Addrs returns the connection's addresses.
func (l *link) Addrs() (local, remote net.Addr) { return l.local, l.remote }

// Write writes to wherever the link is at the moment.
func (l *link) Write(bufs [][]byte, wait bool) (int, error) {
	rest, n, err := l.writeNow(bufs)
	if err != nil || len(rest) == 0 || !wait {
		return n, err
	}
	more, err := l.writeWaiting(rest)
	return n + more, err
}

// writeNow writes what a loop link takes at once, and returns what is left; a
// stream link has no such thing.
func (l *link) writeNow(bufs [][]byte) (rest [][]byte, n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, 0, net.ErrClosed
	}
	if l.gc == nil {
		return bufs, 0, nil
	}
	return writeFD(l.fd, bufs)
}

// writeWaiting writes everything, through Go's own poller.
func (l *link) writeWaiting(bufs [][]byte) (int, error) {
	l.mu.Lock()
	if conn := l.conn; conn != nil {
		l.mu.Unlock()
		buffers := net.Buffers(bufs)
		n, err := buffers.WriteTo(conn)
		return int(n), err
	}
	if l.closed || l.gc == nil {
		l.mu.Unlock()
		return 0, net.ErrClosed
	}
	f, err := dupFile(l.fd)
	l.blocked = f
	l.mu.Unlock()
	if err != nil {
		return l.writeStubbornly(bufs)
	}
	defer l.unblock(f)
	total := 0
	for _, b := range bufs {
		n, err := f.Write(b)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// writeStubbornly writes everything without a further descriptor, when the
// process has none left, by trying again and again.
func (l *link) writeStubbornly(bufs [][]byte) (int, error) {
	total := 0
	for {
		time.Sleep(stubbornPause)
		rest, n, err := l.writeNow(bufs)
		total += n
		if err != nil || len(rest) == 0 {
			return total, err
		}
		bufs = rest
		l.mu.Lock()
		left := l.conn != nil
		l.mu.Unlock()
		if left { // it is off the loop by now
			more, err := l.writeWaiting(bufs)
			return total + more, err
		}
	}
}

const stubbornPause = 10 * time.Millisecond

func (l *link) unblock(f *os.File) {
	l.mu.Lock()
	l.blocked = nil
	l.mu.Unlock()
	_ = f.Close() // may be closed by Close already
}

// Close ends the connection. The reader sees the end and releases the link.
func (l *link) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	if l.blocked != nil {
		_ = l.blocked.Close()
	}
	if l.gc != nil {
		_ = l.gc.Close() // asynchronous
	}
	if l.conn != nil {
		closeSoon(l.conn)
	}
}

// closeSoon closes a connection without waiting for its peer, as TLS would
// with its parting alert.
func closeSoon(conn net.Conn) {
	_ = bottom(conn).Close()
}

// bottom returns the connection below all that is wrapped around it: TLS, a prefix, or both.
func bottom(conn net.Conn) net.Conn {
	for {
		t, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = t.NetConn()
	}
}

// Intervals at which Finish looks whether the peer's host has everything.
const (
	finishPollMin = time.Millisecond
	finishPollMax = 20 * time.Millisecond
)

// Finish half-closes, then waits until the peer's host has acknowledged
// everything. To close earlier could reset the connection, and the reset
// overtake what was sent: that is what happens when the peer is sending, too.
func (l *link) Finish(deadline time.Time) {
	l.halfClose(deadline)
	for pause := finishPollMin; !l.settled() && time.Now().Before(deadline); pause = min(2*pause, finishPollMax) {
		time.Sleep(pause)
	}
}

func (l *link) halfClose(deadline time.Time) {
	l.mu.Lock()
	conn := l.conn
	if conn == nil && l.gc != nil {
		shutdownWrite(l.fd)
	}
	l.mu.Unlock()
	if conn == nil {
		return
	}
	_ = conn.SetWriteDeadline(deadline)
	if !deadline.IsZero() { // TLS puts a deadline of its own, in 5 s, in its place
		late := time.AfterFunc(time.Until(deadline), func() { closeSoon(conn) })
		defer late.Stop()
	}
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
	if below := bottom(conn); below != conn { // TLS said goodbye; now TCP does
		if c, ok := below.(interface{ CloseWrite() error }); ok {
			_ = c.CloseWrite()
		}
	}
}

// settled reports whether the connection may be closed without loss.
func (l *link) settled() bool {
	settled := true
	l.withFD(func(fd int) { settled = unacknowledged(fd) == 0 })
	l.mu.Lock()
	defer l.mu.Unlock()
	return settled || l.ended || l.closed
}

// Pulse asks the operating system for signs of life of the peer.
func (l *link) Pulse() (p session.Pulse, known bool) {
	l.withFD(func(fd int) { p, known = pulse(fd) })
	return p, known
}

// withFD calls f with the connection's descriptor, if it has one.
func (l *link) withFD(f func(fd int)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gc != nil {
		f(l.fd)
		return
	}
	if l.conn != nil {
		controlFD(l.conn, f)
	}
}

// release says that the reader has ended: the link is history.
func (l *link) release() { l.host.work.Done() }

// advance leaves out the first n bytes of the buffers.
func advance(bufs [][]byte, n int) [][]byte {
	for len(bufs) > 0 && n >= len(bufs[0]) {
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	if n > 0 {
		bufs[0] = bufs[0][n:]
	}
	return bufs
}
