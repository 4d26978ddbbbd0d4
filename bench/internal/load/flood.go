package load

import (
	"errors"
	"fmt"
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
	floodLeast = 256 << 10 // bytes that must have waited for the consumer in the end, or it was not flooded
)

var errDry = errors.New("load: the slow consumer was not flooded")

// flood is a connection that is sent far more than it takes.
type flood struct {
	conn   net.Conn
	tape   *wire.Tape
	both   sync.WaitGroup
	poured int   // bytes; pour's until both have ended
	sipped int   // bytes, which were compared; sip's until both have ended
	failed error // sip's
}

func startFlood(addr string, payload int) (*flood, error) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	f := &flood{conn: c, tape: wire.NewTape(payload, max(1, sipSize/wire.FrameLen(payload)))}
	f.both.Go(f.pour)
	f.both.Go(f.sip)
	return f, nil
}

// stop closes the connection and tells whether the flood was one, and its echo right.
func (f *flood) stop() error {
	f.conn.Close()
	f.both.Wait()
	if f.failed != nil {
		return f.failed
	}
	if waited := f.poured - f.sipped; waited < floodLeast {
		return fmt.Errorf("%w: only %d bytes waited for it", errDry, waited)
	}
	return nil
}

// chunk is how many bytes of the tape are written or read at once.
func (f *flood) chunk() int { return f.tape.FrameLen() * max(1, sipSize/f.tape.FrameLen()) }

// pour writes messages until the connection closes or the limit is reached. Its errors say that the load is over.
func (f *flood) pour() {
	for f.poured < floodLimit {
		n, err := f.conn.Write(f.tape.Slice(uint64(f.poured), f.chunk()))
		f.poured += n
		if err != nil {
			return
		}
	}
}

// sip reads a little now and then. Its reading errors say that the load is over.
func (f *flood) sip() {
	buf := make([]byte, f.chunk())
	for {
		n, err := f.conn.Read(buf)
		if !f.tape.Matches(uint64(f.sipped), buf[:n]) {
			f.failed = errMismatch
			f.conn.Close() // ends pour
			return
		}
		f.sipped += n
		if err != nil {
			return
		}
		time.Sleep(sipEvery)
	}
}
