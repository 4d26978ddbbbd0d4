package engine

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A link's side off the loop: a goroutine that reads a net.Conn, and writes that block.

// Sizes of an off-loop read. A reader keeps its buffer while it waits: that of TLS for as long as the
// connection lasts. One read of TLS gives a record at most, and a larger buffer would be of no use.
const (
	readBytes   = 64 << 10
	recordBytes = 16 << 10
)

var (
	readBuffers   = sync.Pool{New: func() any { b := make([]byte, readBytes); return &b }}
	recordBuffers = sync.Pool{New: func() any { b := make([]byte, recordBytes); return &b }}
)

// buffersFor returns where a reader of the connection finds its buffer.
func buffersFor(conn net.Conn) *sync.Pool {
	if _, ok := conn.(*tls.Conn); ok {
		return &recordBuffers
	}
	return &readBuffers
}

// stream starts to serve a connection off the loop, for good if it cannot be enrolled. It reports
// false if the session has no use for the connection, which is then closed.
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
	l.start(false)
	l.read(conn, l.begins())
}

// read is the reader off the loop: it feeds the session, waiting when that has no room, until the
// connection ends or goes back to a loop. rest is what was read before.
func (l *link) read(conn net.Conn, rest []byte) {
	mayReturn := l.moves != nil && l.host.enroll != nil
	var due time.Time // when the link may return
	if mayReturn {
		due = l.holdOff(conn)
	}
	buffers := buffersFor(conn)
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		if err := l.feed(rest); err != nil {
			l.readEnded(conn, err)
			return
		}
		if mayReturn && !time.Now().Before(due) {
			if l.inner.CaughtUp() && l.moveToLoop(conn) {
				return
			}
			due = l.holdOff(conn)
		}
		n, err := conn.Read(*buf)
		rest = (*buf)[:n]
		if late := l.arrived(rest); late != nil {
			l.readEnded(conn, late)
			return
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			err = endOf(conn, err)
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
		rest, _, err := l.feedOnce(p, false)
		if err != nil {
			return err
		}
		if len(rest) > 0 {
			l.inner.Wait()
		}
		p = rest
	}
	return nil
}

// readEnded goes on for answers, or ends the connection, when the reader has ended.
func (l *link) readEnded(conn net.Conn, err error) {
	if errors.Is(err, io.EOF) && l.inner.PeerFinished() {
		l.serveAnswers(conn)
		return
	}
	l.endStream(conn, err)
}

// answersPollMax bounds the intervals at which serveAnswers looks. They begin at finishPollMin.
const answersPollMax = 100 * time.Millisecond

// serveAnswers serves a connection whose peer has finished, and may still read.
func (l *link) serveAnswers(conn net.Conn) {
	closed := l.whenClosed()
	for pause := finishPollMin; l.inner.Owes() && !l.isReset(); pause = min(2*pause, answersPollMax) {
		select {
		case <-closed:
		case <-time.After(pause):
			continue
		}
		break
	}
	l.endStream(conn, io.EOF)
}

// whenClosed returns what Close closes. It is called once.
func (l *link) whenClosed() <-chan struct{} {
	over := make(chan struct{})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		close(over)
	}
	if l.moves == nil {
		l.moves = new(moves)
	}
	l.moves.over = over
	return over
}

// isReset reports whether the peer's system has said that the connection is no more.
func (l *link) isReset() (reset bool) {
	l.withFD(func(fd int) { reset = isReset(fd) })
	return reset
}

// endStream is the end of a connection off the loop.
func (l *link) endStream(conn net.Conn, err error) {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.inner.End(err)
	_ = conn.Close()
	l.release()
}

// writeBlocking writes everything, through Go's own poller. On a loop that takes a duplicate of the
// descriptor.
func (l *link) writeBlocking(bufs [][]byte) (int, error) {
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
	f, err := dupFile(int(l.fd))
	l.blocked = f
	l.mu.Unlock()
	if err != nil {
		return l.writeRetrying(bufs)
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

// unblock closes the duplicate on which a write has waited.
func (l *link) unblock(f *os.File) {
	l.mu.Lock()
	l.blocked = nil
	l.mu.Unlock()
	_ = f.Close() // may be closed by Close already
}

// retryPause is how long writeRetrying waits between two attempts.
const retryPause = 10 * time.Millisecond

// writeRetrying writes everything without a duplicate, because the process has no descriptor left
// for one: it tries again and again.
func (l *link) writeRetrying(bufs [][]byte) (int, error) {
	total := 0
	for {
		time.Sleep(retryPause)
		rest, n, err := l.writeNow(bufs)
		total += n
		if err != nil || len(rest) == 0 {
			return total, err
		}
		bufs = rest
		if l.offLoop() {
			more, err := l.writeBlocking(bufs)
			return total + more, err
		}
	}
}

// offLoop reports whether the link is off the loop.
func (l *link) offLoop() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != nil
}

// closeWrite half-closes a connection. TLS waits for its peer to take the goodbye, up to deadline.
func closeWrite(conn net.Conn, deadline time.Time) {
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

// closeSoon closes a connection without waiting for its peer, as TLS would with its parting alert.
func closeSoon(conn net.Conn) { _ = bottom(conn).Close() }

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
