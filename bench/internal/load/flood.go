package load

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/netasync/netasync/bench/internal/wire"
)

// The flooded consumer reads sipSize bytes every sipEvery and is sent to as fast as the server takes it, up to
// floodLimit: a server without back-pressure would otherwise fill the machine's memory.
const (
	sipSize    = 64 << 10
	sipEvery   = 100 * time.Millisecond
	floodLimit = 512 << 20
)

// startFlood opens the connection of the slow consumer. The stop it returns closes it and waits for its goroutines.
func startFlood(addr string, payload int) (stop func(), err error) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	var both sync.WaitGroup
	both.Go(func() { pour(c, payload) })
	both.Go(func() { sip(c) })
	return func() {
		c.Close()
		both.Wait()
	}, nil
}

// pour writes messages until the connection closes or the limit is reached. Its errors say that the load is over.
func pour(c net.Conn, payload int) {
	tape := wire.NewTape(payload, max(1, sipSize/wire.FrameLen(payload)))
	chunk := tape.Slice(0, tape.FrameLen()*max(1, sipSize/tape.FrameLen()))
	for sent := 0; sent < floodLimit; sent += len(chunk) {
		if _, err := c.Write(chunk); err != nil {
			return
		}
	}
}

func sip(c net.Conn) {
	buf := make([]byte, sipSize)
	for {
		if _, err := io.ReadAtLeast(c, buf, 1); err != nil {
			return
		}
		time.Sleep(sipEvery)
	}
}
