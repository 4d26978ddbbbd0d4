package engine

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/netasync/netasync/session"
)

// link is one connection of a session. It has two sides, and is on one of them at a time: on an
// event loop it is a gnet.Conn and costs no goroutine (link_loop.go); off the loop it is a net.Conn
// that a goroutine reads (link_stream.go). It may move between the two, which its session does not
// see (move.go). This file holds what both sides share.
//
// The reader, a loop or a goroutine, feeds inner. Writing needs the session's right to write, which
// a move back to the loop takes as well.
type link struct {
	host          *host
	s             *session.Session
	inner         *session.Conn // the session's side of it; set by attach, before anything is read
	entry         *entry        // what it begins with; nil: nothing, or no more. The reader's own
	local, remote net.Addr

	// mu guards all below. It is a leaf, and never held while anything blocks:
	// gnet closes its descriptor right after OnClose, which takes mu.
	mu      sync.Mutex
	gc      gnet.Conn // on a loop, else nil
	conn    net.Conn  // off the loop, else nil
	blocked *os.File  // a duplicate of fd on which a write waits for room
	moves   *moves    // made by the first move off a loop, or by serveAnswers
	fd      int32     // gc's descriptor, written to directly
	closed  bool      // Close was called
	begun   bool      // a loop has opened the link
	ended   bool      // the reader has seen the end
}

var _ session.Link = (*link)(nil)

// newLink returns a link that counts as work until its reader has ended.
func newLink(h *host, s *session.Session, local, remote net.Addr) *link {
	h.work.Add(1)
	return &link{host: h, s: s, local: cloneAddr(local), remote: cloneAddr(remote)}
}

// release ends the link's count as work: its reader has ended.
func (l *link) release() { l.host.work.Done() }

// serve gives a connection to a session, on a loop if possible. It reports whether the session took
// it. Where it did not, the connection is closed.
func (h *host) serve(s *session.Session, conn net.Conn, e *entry) (taken bool, err error) {
	remote := conn.RemoteAddr()
	if e != nil && e.remote != nil {
		remote = e.remote
	}
	l := newLink(h, s, conn.LocalAddr(), remote)
	l.entry = e
	if h.enroll == nil || !enrollable(conn) {
		return l.stream(conn), nil
	}
	if err := h.enroll(conn, l); err != nil {
		l.release()
		return false, err
	}
	l.mu.Lock()
	begun := l.begun
	l.mu.Unlock()
	if !begun { // gnet does not tell when its poller refuses a descriptor
		l.release()
		return false, errNotPolled
	}
	return l.inner != nil, nil
}

var errNotPolled = errors.New("netasync: the event loop could not take the connection")

// attach begins the session's connection. It reports false if the session has no use for it.
func (l *link) attach() bool {
	timeout := session.Drive(l.s).HeartbeatTimeout()
	l.withFD(func(fd int) { _ = boundBackoff(fd, timeout) }) // what cannot do it does without
	number := uint64(0)
	if l.entry != nil {
		number = l.entry.number
	}
	l.inner = session.Drive(l.s).Attach(l, number)
	return l.inner != nil
}

// Addrs returns the connection's addresses.
func (l *link) Addrs() (local, remote net.Addr) { return l.local, l.remote }

// TLS returns the state of TLS. The handshake is over before there is a link.
func (l *link) TLS() *tls.ConnectionState {
	l.mu.Lock()
	t, ok := l.conn.(*tls.Conn)
	l.mu.Unlock()
	if !ok {
		return nil
	}
	state := t.ConnectionState()
	return &state
}

// Write writes to the side on which the link is at the moment.
func (l *link) Write(bufs [][]byte, wait bool) (int, error) {
	rest, n, err := l.writeNow(bufs)
	if err != nil || len(rest) == 0 || !wait {
		return n, err
	}
	more, err := l.writeBlocking(rest)
	return n + more, err
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
	if l.moves != nil && l.moves.over != nil {
		close(l.moves.over)
	}
}

// Intervals at which Finish asks whether the peer's host has everything.
const (
	finishPollMin = time.Millisecond
	finishPollMax = 20 * time.Millisecond
)

// Finish half-closes, then waits until the peer's host has acknowledged everything. To close
// earlier could reset the connection, and the reset overtake what was sent: that happens when the
// peer is sending, too.
func (l *link) Finish(deadline time.Time) {
	l.halfClose(deadline)
	pause := finishPollMin
	for !l.acknowledged() && time.Now().Before(deadline) {
		time.Sleep(pause)
		pause = min(2*pause, finishPollMax)
	}
}

// halfClose says that nothing more will be sent.
func (l *link) halfClose(deadline time.Time) {
	l.mu.Lock()
	conn := l.conn
	if conn == nil && l.gc != nil {
		shutdownWrite(int(l.fd))
	}
	l.mu.Unlock()
	if conn != nil {
		closeWrite(conn, deadline)
	}
}

// acknowledged reports whether the peer's host has everything, or nothing more will change that:
// the connection may be closed without loss.
func (l *link) acknowledged() bool {
	all := true
	l.withFD(func(fd int) { all = unacknowledged(fd) == 0 })
	l.mu.Lock()
	defer l.mu.Unlock()
	return all || l.ended || l.closed
}

// Pulse asks the operating system for signs of life of the peer.
func (l *link) Pulse() (p session.Pulse, known bool) {
	l.withFD(func(fd int) { p, known = pulse(fd) })
	return p, known
}

// Backlog asks the operating system what it holds of what was written.
func (l *link) Backlog() (b session.Backlog) {
	l.withFD(func(fd int) { b = backlog(fd) })
	return b
}

// withFD calls f with the connection's descriptor, if it has one.
func (l *link) withFD(f func(fd int)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gc != nil {
		f(int(l.fd))
		return
	}
	if l.conn != nil {
		controlFD(l.conn, f)
	}
}
