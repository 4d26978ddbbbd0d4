package engine

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// A thousand moves off the loop and back, under traffic both ways: nothing is
// lost, nothing comes twice, order holds.
func TestThousandMovesUnderTraffic(t *testing.T) {
	const sessions, moves = 10, 1000
	e := startEngine(t)
	e.host.hold = holdTime{min: time.Millisecond, max: time.Millisecond}
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
	var sequence testkit.Sequence
	next := 0
	for ; !enough(); next += burst {
		if next%(2*burst) == 0 {
			time.Sleep(3 * time.Millisecond) // a pause in which it can come back, every other time
		}
		var out []byte
		for i := range burst {
			out = append(out, testkit.Frames(testkit.Numbered(next+i, 8+i))...)
		}
		_, err := raw.Write(out)
		require.NoError(t, err)
		for range burst {
			ev := mustRecv(t, s)
			require.Equal(t, session.Message, ev.Kind, "%v", ev.Err)
			require.NoError(t, sequence.Take(ev.Payload))
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
	var sequence testkit.Sequence
	for {
		m, err := testkit.ReadMessage(in)
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
		require.NoError(t, sequence.Take(m))
	}
	require.Equal(t, <-sent, sequence.Next(), "all that was sent, and nothing twice")
}
