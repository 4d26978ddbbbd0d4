package engine

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// readBytes is the size of an off-loop read: a held reader keeps its buffer.
const readBytes = 64 << 10

var readBuffers = sync.Pool{New: func() any { b := make([]byte, readBytes); return &b }}

// stay bounds how long a session that left its loop stays away at least. A
// move costs a few system calls, so one that would leave again at once stays longer each time.
type stay struct{ least, most time.Duration }

var defaultStay = stay{least: 10 * time.Millisecond, most: time.Second}

// settledFor is how long a session must have been back on its loop to count as
// one that keeps up.
const settledFor = time.Second

// offLoop is what a link remembers of its moves.
type offLoop struct {
	stay     time.Duration // least time to stay off the loop, next time
	returned time.Time     // when the link last came back
}

// leave moves the link off its loop. The loop closes its own descriptor;
// a duplicate keeps the connection. rest is what found no room.
func (l *link) leave(c gnet.Conn, rest []byte) gnet.Action {
	conn, err := dupConn(c.Fd())
	if err != nil {
		l.recv.End(err)
		return gnet.Close
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		_ = conn.Close()
		return gnet.Close
	}
	l.gc, l.fd, l.conn = nil, -1, conn
	if l.off == nil {
		l.off = new(offLoop)
	}
	l.off.stay = min(2*l.off.stay, l.host.stay.most)
	if l.off.stay == 0 || time.Since(l.off.returned) > settledFor {
		l.off.stay = l.host.stay.least
	}
	l.mu.Unlock()
	l.host.figures.left.Add(1)
	kept := append([]byte(nil), rest...)
	go l.read(conn, kept)
	return gnet.Close
}

// stream starts to serve a connection off the loop, for good if it cannot be
// enrolled.
func (l *link) stream(conn net.Conn) bool {
	l.mu.Lock()
	l.conn = conn
	l.mu.Unlock()
	if !l.attach() {
		_ = conn.Close()
		l.release()
		return false
	}
	go l.serve(conn)
	return true
}

// serve is the life of a link that begins off the loop.
func (l *link) serve(conn net.Conn) {
	l.recv.Start(false)
	l.read(conn, nil)
}

// read is the reader off the loop: it feeds the session, waiting when that has
// no room, until the connection ends or goes back to a loop.
func (l *link) read(conn net.Conn, rest []byte) {
	mayReturn := l.off != nil && l.host.loops != nil
	var deadline time.Time
	postpone := func() {
		deadline = time.Now().Add(l.off.stay)
		_ = conn.SetReadDeadline(deadline)
	}
	if mayReturn {
		postpone()
	}
	buf := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(buf)
	for {
		if err := l.feed(rest); err != nil {
			l.readEnded(conn, err)
			return
		}
		if mayReturn && !time.Now().Before(deadline) {
			if l.recv.CaughtUp() && l.comeBack(conn) {
				return
			}
			postpone()
		}
		n, err := conn.Read(*buf)
		rest = (*buf)[:n]
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			if fed := l.feed(rest); fed != nil {
				err = fed
			}
			l.readEnded(conn, err)
			return
		}
	}
}

// feed gives the session everything, waiting for room as often as needed.
func (l *link) feed(p []byte) error {
	for len(p) > 0 {
		rest, _, err := l.recv.Feed(p, false)
		if err != nil {
			return err
		}
		if len(rest) > 0 {
			l.recv.Wait()
		}
		p = rest
	}
	return nil
}

func (l *link) readEnded(conn net.Conn, err error) {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.recv.End(err)
	_ = conn.Close()
	l.release()
}

// comeBack moves the link to a loop, and reports whether that has taken it over. Nobody
// reads meanwhile but us; the loop's first read comes after cameBack.
func (l *link) comeBack(conn net.Conn) bool {
	second, err := dupNetConn(conn) // enrolling closes what it is given, even when it fails
	if err != nil {
		return false
	}
	if second.RemoteAddr() == nil { // reset meanwhile; gnet would stumble over it, our next read finds out
		_ = second.Close()
		return false
	}
	_ = l.host.loops.enroll(second, l) // whatever it says, the link knows
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != conn
}
