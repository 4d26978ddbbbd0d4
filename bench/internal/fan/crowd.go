package fan

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// Crowd is many connections, of which some do not read. It is one epoll loop: thousands of connections must not
// cost it a goroutine or a buffer each.
type Crowd struct {
	epoll  int
	conns  map[int32]*listener
	silent []net.Conn
	buf    []byte
	head   int // bytes of a message before the payload
	frame  int // bytes of a message
	pings  bool
	times  *hdrhistogram.Histogram
	last   []float64 // µs until the last had a message
	late   uint64    // the longest of this message, in ns
}

// listener is a connection that reads.
type listener struct {
	file  *os.File
	at    int // of the message that is being read
	stamp [stampSize]byte
	ping  bool // NATS asks in between whether anybody is there
}

// Heard is what a crowd has to tell.
type Heard struct {
	P50, P99 float64 // µs, of all messages at all that read
	Last     float64 // µs until the last had a message: the median of the messages
}

// patience is how long anything may take.
const patience = 30 * time.Second

// greet are the first words on a connection, by contestant, and how many bytes stand around a payload.
func greet(kind string, conn net.Conn, size int) (head, tail int, err error) {
	_ = conn.SetDeadline(time.Now().Add(patience))
	defer func() { _ = conn.SetDeadline(time.Time{}) }()
	switch kind {
	case "melody":
		_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		if err == nil {
			err = until(conn, "\r\n\r\n")
		}
		switch {
		case size < 126:
			return 2, 0, err
		case size < 1<<16:
			return 4, 0, err
		}
		return 10, 0, err
	case "nats":
		if err = until(conn, "\r\n"); err == nil {
			_, err = io.WriteString(conn, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB "+Subject+" 1\r\nPING\r\n")
		}
		if err == nil {
			err = until(conn, "PONG\r\n")
		}
		return len("MSG " + Subject + " 1 " + strconv.Itoa(size) + "\r\n"), 2, err
	}
	return 4, 0, nil
}

// until reads up to a mark, one byte at a time: nothing of what comes behind.
func until(conn net.Conn, mark string) error {
	var got []byte
	for one := []byte{0}; !bytes.HasSuffix(got, []byte(mark)); {
		if _, err := conn.Read(one); err != nil {
			return fmt.Errorf("fan: no %q in %q: %w", mark, got, err)
		}
		got = append(got, one[0])
	}
	return nil
}

// OpenCrowd connects so many that read, and so many that do not.
func OpenCrowd(kind, addr string, reading, silent, size int) (*Crowd, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	c := &Crowd{
		epoll: epoll, pings: kind == "nats", conns: make(map[int32]*listener), buf: make([]byte, 256<<10),
		times: hdrhistogram.New(1, int64(patience), 3),
	}
	for i := range reading + silent {
		if err := c.open(kind, addr, i < silent, size); err != nil {
			return nil, fmt.Errorf("connection %d: %w", i+1, err)
		}
	}
	return c, nil
}

func (c *Crowd) open(kind, addr string, silent bool, size int) error {
	dialer := net.Dialer{Timeout: patience}
	if silent { // it is full soon
		dialer.Control = func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) })
		}
	}
	conn, err := dialer.Dial("tcp", addr)
	if err != nil {
		return err
	}
	head, tail, err := greet(kind, conn, size)
	if err != nil {
		return err
	}
	if silent {
		c.silent = append(c.silent, conn)
		return nil
	}
	c.head, c.frame = head, head+size+tail
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		return err
	}
	_ = conn.Close() // file is a duplicate
	fd := int(file.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	c.conns[int32(fd)] = &listener{file: file}
	return unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// Hear waits until all that read have one message more.
func (c *Crowd) Hear() error {
	c.late = 0
	events := make([]unix.EpollEvent, 256)
	for left := len(c.conns); left > 0; {
		n, err := unix.EpollWait(c.epoll, events, int(patience.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return fmt.Errorf("fan: %d of %d did not hear it: %w", left, len(c.conns), cmp.Or(err, os.ErrDeadlineExceeded))
		}
		for _, ev := range events[:n] {
			heard, err := c.read(ev.Fd)
			if err != nil {
				return err
			}
			left -= heard
		}
	}
	c.last = append(c.last, float64(c.late)/1e3)
	return nil
}

// Forget forgets what was measured so far.
func (c *Crowd) Forget() { c.times.Reset(); c.last = nil }

// Result is what was measured.
func (c *Crowd) Result() Heard {
	slices.Sort(c.last)
	h := Heard{P50: float64(c.times.ValueAtQuantile(50)) / 1e3, P99: float64(c.times.ValueAtQuantile(99)) / 1e3}
	if n := len(c.last); n > 0 {
		h.Last = c.last[n/2]
	}
	return h
}

// read reads once, and returns how many messages are whole with that.
func (c *Crowd) read(fd int32) (heard int, err error) {
	l := c.conns[fd]
	n, err := unix.Read(int(fd), c.buf)
	if err == unix.EAGAIN || err == unix.EINTR {
		return 0, nil
	}
	if err != nil || n == 0 {
		return 0, fmt.Errorf("fan: a connection that reads has ended: %w", cmp.Or(err, io.EOF))
	}
	for p := c.buf[:n]; len(p) > 0; {
		if l.ping = l.ping || l.at == 0 && c.pings && p[0] == 'P'; l.ping {
			end := bytes.IndexByte(p, '\n')
			if end < 0 {
				break
			}
			l.ping, p = false, p[end+1:]
			continue
		}
		if from := l.at - c.head; from < stampSize && l.at+len(p) > c.head {
			skip := max(0, -from)
			copy(l.stamp[max(0, from):], p[skip:])
		}
		n := min(len(p), c.frame-l.at)
		l.at += n
		p = p[n:]
		if l.at < c.frame {
			break
		}
		l.at = 0
		heard++
		took := Now() - binary.BigEndian.Uint64(l.stamp[:])
		c.late = max(c.late, took)
		_ = c.times.RecordValue(int64(took))
	}
	return heard, nil
}
