//go:build unix

package engine

import (
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// loopsSupported says that links can run on gnet's event loops.
const loopsSupported = true

// enrollable reports whether gnet can serve the connection. It takes a second descriptor for that,
// and would close a connection for which there is none.
func enrollable(conn net.Conn) (can bool) {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
		controlFD(conn, func(fd int) {
			second, err := dup(fd)
			if can = !errors.Is(err, unix.EMFILE) && !errors.Is(err, unix.ENFILE); err == nil {
				_ = unix.Close(second)
			}
		})
	}
	return can
}

// writeFD writes what the socket takes at once, and returns what is left.
func writeFD(fd int, bufs [][]byte) (rest [][]byte, n int, err error) {
	for len(bufs) > 0 {
		w, err := writeOnce(fd, bufs)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return bufs, n, nil
		case err != nil:
			return nil, n, os.NewSyscallError("write", err)
		}
		n += w
		bufs = advance(bufs, w)
	}
	return nil, n, nil
}

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

// dup duplicates a descriptor; it stays non-blocking, a property of the socket.
func dup(fd int) (int, error) {
	second, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return second, os.NewSyscallError("dup", err)
}

// dupFile duplicates a descriptor as a file that Go's poller waits for.
func dupFile(fd int) (*os.File, error) {
	second, err := dup(fd)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(second), "socket"), nil
}

// dupConn duplicates a descriptor as a connection.
func dupConn(fd int) (net.Conn, error) {
	f, err := dupFile(fd)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileConn(f)
}

// dupNetConn duplicates a connection.
func dupNetConn(conn net.Conn) (second net.Conn, err error) {
	err = errors.ErrUnsupported
	controlFD(conn, func(fd int) { second, err = dupConn(fd) })
	return second, err
}

// controlFD calls f with the descriptor below conn, also through TLS.
func controlFD(conn net.Conn, f func(fd int)) {
	sc, ok := bottom(conn).(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { f(int(fd)) })
}

func shutdownWrite(fd int) { _ = unix.Shutdown(fd, unix.SHUT_WR) }

// setOption sets one of the options that sockets of all kinds have.
func setOption(fd uintptr, option, value int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, option, value))
}

// isReset reports whether the socket is over: the system holds an error for it, or is done with it. It
// tells an error once, which may have been to a write.
func isReset(fd int) bool {
	pending, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	return err != nil || pending != 0 || isClosed(fd)
}
