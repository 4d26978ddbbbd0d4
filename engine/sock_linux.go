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

// isClosed reports whether TCP is done with a connection.
func isClosed(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == unix.BPF_TCP_CLOSE
}

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
		Data:       milliseconds(info.Last_data_recv),
		Ack:        milliseconds(info.Last_ack_recv),
		Unread:     unread > 0,
		Unanswered: unanswered(info),
		RTT:        time.Duration(info.Rtt) * time.Microsecond,
	}, true
}

// backlog reads what TCP holds. Of a unix socket the peer's host has everything; there, what is told
// to be acknowledged changes when the peer reads.
func backlog(fd int) session.Backlog {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return session.Backlog{}
	}
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return session.Backlog{Acked: uint64(n)}
	}
	return session.Backlog{Bytes: n, Acked: info.Bytes_acked}
}

const (
	// unansweredProbes is how many window probes may be under way before they count as unanswered:
	// one is, for a round trip, also while the peer is well.
	unansweredProbes = 2
	// answerTime is how long an answer may be under way.
	answerTime = 200 * time.Millisecond
)

// unanswered reports whether the peer's host owes us an answer. A host that takes nothing, because
// its program does not read, answers each probe of its window, and each attempt to send again, but
// acknowledges nothing. TCP then asks ever more rarely: that nothing was heard for long says nothing
// by itself.
func unanswered(info *unix.TCPInfo) bool {
	sent, ack := milliseconds(info.Last_data_sent), milliseconds(info.Last_ack_recv)
	if info.Probes >= unansweredProbes {
		return true
	}
	if info.Unacked == 0 || ack <= sent {
		return false
	}
	// Nothing has come since we sent the last time. That may be just now; but if it is longer ago
	// than TCP's pause that something came, the time before was not answered either.
	pause := time.Duration(info.Rto) * time.Microsecond
	return sent >= answerTime || ack-sent > pause+answerTime
}

func milliseconds(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

// TCP_RTO_MAX_MS is the socket option that bounds TCP's back-off, from Linux 6.15 on, and the bounds
// of its value.
const (
	tcpRTOMaxMS  = 44
	leastBackoff = time.Second
	mostBackoff  = 120 * time.Second // the kernel's own bound
)

// boundBackoff sees to it that TCP asks its peer often enough for unanswered to find it gone within
// the timeout, or leastBackoff twice. When both ends have stopped reading, neither heartbeats nor
// messages flow, and probes of the peer's window are all there is: their back-off goes up to two
// minutes otherwise, where the kernel does not know the option. It is half of the timeout, not less:
// after twice the bound the kernel itself may give up a peer that has shrunk its window.
func boundBackoff(fd int, timeout time.Duration) error {
	bound := min(max(timeout/2, leastBackoff), mostBackoff)
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, tcpRTOMaxMS, int(bound.Milliseconds()))
}
