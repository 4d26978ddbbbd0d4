package engine

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/netasync/netasync/session"
)

func writeOnce(fd int, bufs [][]byte) (int, error) {
	if len(bufs) == 1 {
		return unix.Write(fd, bufs[0])
	}
	return unix.Writev(fd, bufs)
}

// unacknowledged returns how many bytes the peer's host has not acknowledged. For a unix socket,
// where nothing can get lost on the way, that is 0.
func unacknowledged(fd int) int {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain == unix.AF_UNIX {
		return 0
	}
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}

// unansweredProbes is how many window probes may be under way before they count as unanswered: one
// is, for a round trip, also while the peer is well.
const unansweredProbes = 2

// pulse reads what TCP knows about its peer.
func pulse(fd int) (session.Pulse, bool) {
	unread, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
	if err != nil {
		return session.Pulse{}, false
	}
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil { // a unix socket: a peer that is gone has closed it
		if unread > 0 {
			return session.Pulse{Unread: true}, true
		}
		return session.Pulse{}, false
	}
	return session.Pulse{
		Data:       time.Duration(info.Last_data_recv) * time.Millisecond,
		Ack:        time.Duration(info.Last_ack_recv) * time.Millisecond,
		Unread:     unread > 0,
		Unanswered: info.Unacked > 0 || info.Probes >= unansweredProbes,
	}, true
}
