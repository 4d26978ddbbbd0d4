package load

import (
	"time"

	"github.com/netasync/netasync/bench/internal/wire"
)

// Crowd is many connections that have each spoken once and are silent since.
type Crowd struct {
	Opened time.Duration // how long opening them took, first echoes included
	fds    []int
}

// OpenCrowd opens n connections and has one message echoed on each. Nothing is read from them after that: what a
// server sends to keep them alive stays in the kernel, so that it costs this side nothing to receive.
func OpenCrowd(addr string, n, payload int) (*Crowd, error) {
	start := time.Now()
	fds, err := dialAll(addr, n, wire.NewTape(payload, 1))
	if err != nil {
		closeAll(fds)
		return nil, err
	}
	return &Crowd{Opened: time.Since(start), fds: fds}, nil
}

// Close ends the connections.
func (c *Crowd) Close() { closeAll(c.fds) }
