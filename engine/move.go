package engine

import (
	"bytes"
	"net"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// A link's moves between its two sides: leave goes off the loop; moveToLoop, of the reader off the
// loop, asks for the way back, and takeOver, on the loop, is its end.

// holdTime bounds how long a session that has left its loop is kept off it at least. A move costs a
// few system calls, so a session that would leave again at once is held longer each time.
type holdTime struct{ min, max time.Duration }

var defaultHoldTime = holdTime{min: 10 * time.Millisecond, max: time.Second}

// keepsUpAfter is how long a session must have been back on its loop to count as one that keeps up.
const keepsUpAfter = time.Second

// moves is what only links need that have moved, or whose peer has finished.
type moves struct {
	over     chan struct{} // closed by the link's Close, if serveAnswers has made it
	hold     time.Duration // how long to stay off the loop at least
	returned time.Time     // when the link last went back
}

// leave moves the link off its loop. The loop closes its own descriptor; a duplicate keeps the
// connection. rest is what found no room.
func (l *link) leave(c gnet.Conn, rest []byte) gnet.Action {
	conn, err := l.takeOffLoop(c)
	if err != nil {
		l.inner.End(err)
		return gnet.Close
	}
	l.mu.Lock()
	if l.moves == nil {
		l.moves = new(moves)
	}
	l.moves.left(l.host.hold)
	l.mu.Unlock()
	l.host.figures.left.Add(1)
	go l.read(conn, bytes.Clone(rest))
	return gnet.Close
}

// takeOffLoop puts a duplicate of the connection in the place of the loop's, which the loop is to
// close.
func (l *link) takeOffLoop(c gnet.Conn) (net.Conn, error) {
	conn, err := dupConn(c.Fd())
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	l.gc, l.fd, l.conn = nil, -1, conn
	return conn, nil
}

// left notes that the link has left its loop, and for how long at least. The link's mu guards it.
func (m *moves) left(bounds holdTime) {
	m.hold = min(2*m.hold, bounds.max)
	if m.hold == 0 || time.Since(m.returned) > keepsUpAfter {
		m.hold = bounds.min
	}
}

// holdOff returns when the link may go back, and makes a read end by then. It is for the reader.
func (l *link) holdOff(conn net.Conn) time.Time {
	due := time.Now().Add(l.moves.hold)
	_ = conn.SetReadDeadline(due)
	return due
}

// moveToLoop offers the link to a loop, and reports whether that has taken it over. It is for the
// reader, so that there is none meanwhile; the loop's first read comes after takeOver.
func (l *link) moveToLoop(conn net.Conn) bool {
	second, err := dupNetConn(conn) // enrolling closes what it is given, even when it fails
	if err != nil {
		return false
	}
	if second.RemoteAddr() == nil { // reset meanwhile; gnet would stumble, our next read finds out
		_ = second.Close()
		return false
	}
	_ = l.host.enroll(second, l) // whatever it says, the link knows
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != conn
}

// takeOver lets the loop take the link over, unless the right to write is taken at this moment. It
// takes that, and not moveToLoop: while that waits for the loop, a callback on the loop may wait for
// a write.
func (l *link) takeOver(c gnet.Conn) gnet.Action {
	if !l.inner.HoldWriting() {
		return gnet.Close // of the loop's descriptor: the reader goes on with its own
	}
	defer l.inner.ReleaseWriting()
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return gnet.Close
	}
	conn := l.conn
	l.gc, l.fd, l.conn = c, int32(c.Fd()), nil
	l.moves.returned = time.Now()
	l.mu.Unlock()
	l.host.figures.returned.Add(1)
	_ = conn.Close()
	return gnet.None
}
