package engine

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/netasync/netasync/session"
)

// On Windows gnet is for development only: all connections are served off the
// loop, and what follows is never asked for.

const loopsSupported = false

func enrollable(net.Conn) bool { return false }

func writeFD(int, [][]byte) (rest [][]byte, n int, err error) {
	return nil, 0, errors.ErrUnsupported
}

// setOption sets one of the options that sockets of all kinds have.
func setOption(fd uintptr, option, value int) error {
	return os.NewSyscallError("setsockopt", syscall.SetsockoptInt(syscall.Handle(fd), syscall.SOL_SOCKET, option, value))
}

func dupFile(int) (*os.File, error) { return nil, errors.ErrUnsupported }

func dupConn(int) (net.Conn, error) { return nil, errors.ErrUnsupported }

func dupNetConn(net.Conn) (net.Conn, error) { return nil, errors.ErrUnsupported }

func controlFD(net.Conn, func(fd int)) {}

func shutdownWrite(int) {}

func unacknowledged(int) int { return 0 }

func isReset(int) bool { return false }

func pulse(int) (session.Pulse, bool) { return session.Pulse{}, false }

func boundBackoff(int, time.Duration) error { return errors.ErrUnsupported }

func backlog(int) session.Backlog { return session.Backlog{} }
