package load

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netasync/netasync/bench/internal/wire"
)

var (
	errMismatch = errors.New("load: what came back is not what was sent")
	errTooMuch  = fmt.Errorf("%w: there is more of it", errMismatch)
	errHungUp   = errors.New("load: the server closed a connection")
	errLost     = errors.New("load: messages did not come back")
)

// conn is one connection of the load. All positions are those of its bytes on the tape. Its worker alone touches it.
type conn struct {
	fd      int
	granted uint64 // may be sent: what came back, plus the window
	sent    uint64
	back    uint64 // came back, and was compared
	probe   uint64 // end of the message whose time is being taken, 0 for none
	since   time.Time
	blocked bool // the socket took less than it was given, and epoll watches for room
}

// receive reads once, compares what came, and answers every whole message with a new one.
func (c *conn) receive(w *worker, more bool) error {
	n, err := unix.Read(c.fd, w.buf)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil
	case n == 0 || err == unix.ECONNRESET:
		return errHungUp
	case err != nil:
		return os.NewSyscallError("read", err)
	case uint64(n) > c.sent-c.back:
		return errTooMuch
	case !w.tape.Matches(c.back, w.buf[:n]):
		return errMismatch
	}
	frame := uint64(w.tape.FrameLen())
	before := c.back / frame
	c.back += uint64(n)
	whole := c.back / frame
	w.count(whole - before)
	if c.probe != 0 && c.back >= c.probe {
		w.now = time.Now()
		w.record(w.now.Sub(c.since))
		c.probe = 0
	}
	if more && whole > before {
		c.granted = (whole + uint64(w.window)) * frame
		return c.flush(w)
	}
	return nil
}

// flush sends what is granted, as far as the socket takes it.
func (c *conn) flush(w *worker) error {
	want := int(c.granted - c.sent)
	if want == 0 {
		return c.watchRoom(w, false)
	}
	if c.probe == 0 {
		c.startProbe(w)
	}
	n, err := unix.Write(c.fd, w.tape.Slice(c.sent, want))
	if err == unix.EAGAIN || err == unix.EINTR {
		n, err = 0, nil
	}
	if err == unix.ECONNRESET || err == unix.EPIPE {
		return errHungUp
	}
	if err != nil {
		return os.NewSyscallError("write", err)
	}
	c.sent += uint64(n)
	return c.watchRoom(w, n < want)
}

// startProbe takes the time of the next message: of every one in ping-pong, of one at a time per connection when
// many are under way. A reading of the clock that the last probe just made is used again.
func (c *conn) startProbe(w *worker) {
	frame := uint64(w.tape.FrameLen())
	c.probe = (c.sent/frame + 1) * frame
	if w.now.IsZero() {
		w.now = time.Now()
	}
	c.since = w.now
}

func (c *conn) watchRoom(w *worker, blocked bool) error {
	if c.blocked == blocked {
		return nil
	}
	c.blocked = blocked
	return w.watch(unix.EPOLL_CTL_MOD, c)
}

// drained tells whether everything that was granted came back.
func (c *conn) drained() bool { return c.back == c.granted }

// newConn takes over the i-th connection, which has said hello.
func newConn(i, fd int, tape *wire.Tape, window int) *conn {
	next := tape.Start(i) + uint64(tape.FrameLen())
	return &conn{fd: fd, sent: next, back: next, granted: next + uint64(window*tape.FrameLen())}
}
