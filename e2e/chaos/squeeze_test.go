//go:build linux

package chaos

import (
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/netasync/netasync"
)

// squeezed is what a squeezed socket may hold of what is sent; Linux doubles it. What it may receive
// is not touched: a window that shrinks below a segment of loopback opens again by seconds.
const squeezed = 8 << 10

// squeeze makes the send buffer of a session's socket small. That of loopback holds megabytes: what
// the socket takes only a part of, and what waits for it, would be rare. The option is set from outside,
// on a descriptor of this process that has the session's addresses; if that is another socket's by
// then, no harm is done.
func squeeze(s *netasync.Session) {
	local, ok := s.LocalAddr().(*net.TCPAddr)
	if !ok {
		return
	}
	remote := s.RemoteAddr().(*net.TCPAddr)
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if at, err := syscall.Getsockname(fd); err != nil || !same(at, local) {
			continue
		}
		if at, err := syscall.Getpeername(fd); err == nil && same(at, remote) {
			_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, squeezed)
		}
	}
}

// same compares what the system and Go say of an address.
func same(at syscall.Sockaddr, addr *net.TCPAddr) bool {
	in4, ok := at.(*syscall.SockaddrInet4)
	return ok && in4.Port == addr.Port && net.IP(in4.Addr[:]).Equal(addr.IP)
}
