package load

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/netasync/netasync/bench/internal/wire"
)

// Crowd is many connections that have each spoken once and are silent since.
type Crowd struct{ fds []int }

// OpenCrowd opens n connections and has one message echoed on each. What a server sends after that to keep them
// alive stays in the kernel until somebody asks, so that it costs this side nothing to receive meanwhile.
func OpenCrowd(addr string, n, payload int) (*Crowd, error) {
	fds, err := dialAll(addr, n, wire.NewTape(payload, 1))
	if err != nil {
		closeAll(fds)
		return nil, err
	}
	return &Crowd{fds}, nil
}

// Heard returns how many heartbeats arrived since it was called last. Anything else that arrived is an error.
func (c *Crowd) Heard() (int, error) {
	buf, bytes := make([]byte, 1<<10), 0
	for _, fd := range c.fds {
		n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			continue
		case err != nil:
			return 0, os.NewSyscallError("recvfrom", err)
		case n == 0:
			return 0, errHungUp
		}
		for _, b := range buf[:n] {
			if b != 0 {
				return 0, fmt.Errorf("%w: it is no heartbeat", errMismatch)
			}
		}
		bytes += n
	}
	return bytes / wire.HeaderLen, nil
}

// Close ends the connections.
func (c *Crowd) Close() { closeAll(c.fds) }
