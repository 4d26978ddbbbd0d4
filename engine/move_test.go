package engine

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/session"
)

// A thousand moves off the loop and back, under traffic both ways: nothing is
// lost, nothing comes twice, order holds.
func TestThousandMovesUnderTraffic(t *testing.T) {
	const sessions, moves = 10, 1000
	e := startEngine(t)
	e.hold = holdTime{min: time.Millisecond, max: time.Millisecond}
	enough := func() bool { return e.Stats().Returned >= moves }
	var all sync.WaitGroup
	for range sessions {
		s, raw := acceptRaw(t, e, ListenOptions{ReadBuffer: session.Fixed(4)})
		all.Go(func() { moveBackAndForth(t, s, raw, enough) })
	}
	all.Wait()
	require.GreaterOrEqual(t, e.Stats().Left, uint64(moves))
}

// moveBackAndForth sends the session bursts that are too much for its buffer,
// so that it leaves its loop, and takes them, so that it comes back, some of
// the time just when the next burst arrives. The session answers each message.
func moveBackAndForth(t *testing.T, s *session.Session, raw net.Conn, enough func() bool) {
	const burst = 64
	sent := make(chan int, 1)
	var answers sync.WaitGroup
	answers.Go(func() { checkWire(t, raw, sent) })
	next := 0
	for ; !enough(); next += burst {
		if next%(2*burst) == 0 {
			time.Sleep(3 * time.Millisecond) // a pause in which it can come back, every other time
		}
		var out []byte
		for i := range burst {
			out = append(out, wire(numbered(next+i, 8+i))...)
		}
		_, err := raw.Write(out)
		require.NoError(t, err)
		for i := range burst {
			ev := mustRecv(t, s)
			require.Equal(t, session.Message, ev.Kind, "%v", ev.Err)
			require.EqualValues(t, next+i, binary.BigEndian.Uint64(ev.Payload))
			require.NoError(t, s.Send(context.Background(), ev.Payload))
		}
	}
	sent <- next
	require.NoError(t, s.Close())
	answers.Wait()
}

// checkWire reads the numbers a session sends, up to the end of the stream.
func checkWire(t *testing.T, raw net.Conn, sent <-chan int) {
	in := bufio.NewReader(raw)
	next := 0
	var head [4]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			break
		}
		m := make([]byte, binary.BigEndian.Uint32(head[:]))
		_, err := io.ReadFull(in, m)
		require.NoError(t, err)
		if len(m) > 0 {
			require.EqualValues(t, next, binary.BigEndian.Uint64(m))
			next++
		}
	}
	require.Equal(t, <-sent, next, "all that was sent, and nothing twice")
}
