package load

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netasync/netasync/bench/internal/wire"
)

// helloBatch is how many connections say their first message before any of them waits for its echo. It stays far
// below the usual accept queue, so that opening many connections never runs into the retry timer of TCP.
const helloBatch = 256

// patience is how long a blocking call of the set-up may take before the server counts as broken.
const patience = 10 * time.Second

// dial opens one blocking connection. Plain descriptors, because the generator runs its own epoll loop and
// thousands of connections must not cost it a goroutine or a buffer each.
func dial(addr netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	limit := unix.NsecToTimeval(patience.Nanoseconds())
	for _, option := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &limit); err != nil {
			unix.Close(fd)
			return -1, os.NewSyscallError("setsockopt", err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("setsockopt", err)
	}
	if err := connect(fd, addr); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("connect", err)
	}
	return fd, nil
}

// connect blocks until the connection stands. A signal of Go's runtime interrupts the call but not the connecting.
func connect(fd int, addr netip.AddrPort) error {
	err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()})
	for deadline := time.Now().Add(patience); err == unix.EINTR || err == unix.EALREADY; {
		if time.Now().After(deadline) {
			return unix.ETIMEDOUT
		}
		writable := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		var n, failure int
		if n, err = unix.Poll(writable, int(patience.Milliseconds())); n > 0 && err == nil {
			failure, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if failure != 0 {
				err = unix.Errno(failure)
			}
		}
	}
	return err
}

// dialAll opens n connections, each of which has had its first message echoed: a session that was merely accepted
// has not been used yet, and the server may still be busy accepting it.
func dialAll(addr string, n int, tape *wire.Tape) ([]int, error) {
	target, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	fds := make([]int, 0, n)
	for len(fds) < n {
		first := len(fds)
		for range min(helloBatch, n-first) {
			fd, err := dial(target)
			if err != nil {
				return fds, fmt.Errorf("connection %d of %d: %w", len(fds)+1, n, err)
			}
			fds = append(fds, fd)
		}
		if err := sayHello(fds, first, tape); err != nil {
			return fds, err
		}
	}
	return fds, nil
}

// sayHello has the first message of each connection from the given one on echoed.
func sayHello(fds []int, first int, tape *wire.Tape) error {
	for i := first; i < len(fds); i++ {
		if err := writeFull(fds[i], tape.Slice(tape.Start(i), tape.FrameLen())); err != nil {
			return err
		}
	}
	buf := make([]byte, tape.FrameLen())
	for i := first; i < len(fds); i++ {
		if err := readFrame(fds[i], buf); err != nil {
			return err
		}
		if !tape.Matches(tape.Start(i), buf) {
			return errMismatch
		}
	}
	return nil
}

// readFrame reads a frame that fills buf, after any heartbeats: on a machine that stalls, they may come before the
// answer.
func readFrame(fd int, buf []byte) error {
	for {
		if err := readFull(fd, buf[:wire.HeaderLen]); err != nil {
			return err
		}
		if wire.Length(buf) > 0 {
			return readFull(fd, buf[wire.HeaderLen:])
		}
	}
}

func writeFull(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("write", err)
		}
		b = b[n:]
	}
	return nil
}

func readFull(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Read(fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("read", err)
		}
		if n == 0 {
			return errHungUp
		}
		b = b[n:]
	}
	return nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
