package storm

import (
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/netasync/netasync/bench/internal/wire"
)

// The back-off written by hand has the same parameters as this library's default.
const (
	firstDelay  = 100 * time.Millisecond
	growth      = 1.6
	longest     = 5 * time.Second
	jitter      = 0.2
	dialTimeout = 5 * time.Second
)

// ByHand is the loop one writes around net.Dial: a goroutine for each session that dials, talks, reads until the
// connection ends, waits and starts over.
func ByHand(addr string, n int, talks func(session int)) error {
	for session := range n {
		go func() {
			delay := firstDelay
			for {
				if talkOnce(addr, func() { talks(session) }) {
					delay = firstDelay
				}
				time.Sleep(time.Duration(float64(delay) * (1 - jitter + 2*jitter*rand.Float64())))
				delay = min(time.Duration(float64(delay)*growth), longest)
			}
		}()
	}
	return nil
}

// talkOnce tells whether the connection proved itself before it ended.
func talkOnce(addr string, talked func()) bool {
	c, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		return false
	}
	defer c.Close()
	frame := make([]byte, wire.FrameLen(len(Payload)))
	wire.PutHeader(frame, len(Payload))
	copy(frame[wire.HeaderLen:], Payload)
	if _, err := c.Write(frame); err != nil {
		return false
	}
	if _, err := io.ReadFull(c, frame); err != nil {
		return false
	}
	talked()
	for {
		if _, err := c.Read(frame); err != nil {
			return true
		}
	}
}
