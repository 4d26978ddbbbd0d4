package engine

import (
	"bufio"
	"context"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

const (
	offered    = 256 << 20 // bytes that a flood offers
	floodSize  = 32 << 10  // bytes of each of its messages
	heapGrowth = 32 << 20  // bytes that it may cost us, half of them memory that comes back
)

func startEngine(t *testing.T) *Engine {
	t.Helper()
	e, err := NewEngine(EngineOptions{Loops: 1})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = e.Shutdown(ctx)
	})
	return e
}

// dialForLong returns a plain connection that may be busy for as long as the test takes.
func dialForLong(t testing.TB, addr net.Addr) *net.TCPConn {
	t.Helper()
	conn := testkit.Dial(t, addr)
	require.NoError(t, conn.SetDeadline(time.Time{}))
	return conn
}

// acceptRaw lets a raw socket meet a session of e.
func acceptRaw(t *testing.T, e *Engine, o ListenOptions) (*session.Session, *net.TCPConn) {
	t.Helper()
	ln, err := e.Listen("127.0.0.1:0", o)
	require.NoError(t, err)
	raw := dialForLong(t, ln.Addr())
	s := testkit.Take(t, ln.AcceptChan())
	require.Equal(t, session.Connected, mustRecv(t, s).Kind)
	return s, raw
}

// stalled waits until a counter has stopped moving: TCP holds the sender.
func stalled(t *testing.T, count func() uint64) uint64 {
	t.Helper()
	last, still := count(), 0
	for deadline := time.Now().Add(30 * time.Second); still < 10; {
		require.True(t, time.Now().Before(deadline), "the sender was never stopped")
		time.Sleep(20 * time.Millisecond) // the absence of progress has no event to wait for
		if now := count(); now == last {
			still++
		} else {
			last, still = now, 0
		}
	}
	return last
}

// countingWriter counts what the kernel has taken.
type countingWriter struct {
	net.Conn
	n chan uint64
}

func (w countingWriter) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.n <- <-w.n + uint64(n)
	return n, err
}

// A peer floods a session that nobody reads: TCP stops it, memory stays
// bounded, and once the consumer reads, everything arrives in order. A
// neighbour on the same loop keeps its pace meanwhile.
func TestFloodOfASessionNobodyReads(t *testing.T) {
	e := startEngine(t)
	s, raw := acceptRaw(t, e, ListenOptions{})
	neighbour, peer := acceptRaw(t, e, ListenOptions{NoGreeting: true})
	go echo(neighbour)
	before := testkit.Heap()

	w := countingWriter{raw, make(chan uint64, 1)}
	w.n <- 0
	const messages = offered / floodSize
	go func() {
		for i := range messages {
			if _, err := w.Write(testkit.Frames(testkit.Numbered(i, floodSize))); err != nil {
				return
			}
		}
	}()
	taken := stalled(t, func() uint64 { n := <-w.n; w.n <- n; return n })
	require.Less(t, taken, uint64(offered/4), "TCP must stop the peer")
	require.EqualValues(t, 1, e.Stats().Left, "the session has left its loop")

	pingPong(t, peer, 1000)
	require.Less(t, testkit.Heap()-before, int64(heapGrowth))

	var sequence testkit.Sequence
	for i := range messages {
		ev := mustRecv(t, s)
		require.Equal(t, session.Message, ev.Kind, "%v", ev.Err)
		require.NoError(t, sequence.Take(ev.Payload))
		if i%1000 == 0 {
			require.Less(t, testkit.Heap()-before, int64(heapGrowth))
		}
	}
}

// A peer that never reads while we send: Send blocks, memory stays bounded,
// and everything arrives once it reads.
func TestFloodOfAPeerThatNeverReads(t *testing.T) {
	e := startEngine(t)
	s, raw := acceptRaw(t, e, ListenOptions{})
	before := testkit.Heap()
	const messages = offered / floodSize
	go func() {
		for i := range messages {
			if s.Send(context.Background(), testkit.Numbered(i, floodSize)) != nil {
				return
			}
		}
	}()
	sent := stalled(t, func() uint64 { return s.Stats().SentBytes })
	require.Less(t, sent, uint64(offered/4), "the sender must be stopped")
	require.Less(t, testkit.Heap()-before, int64(heapGrowth))
	var sequence testkit.Sequence
	for range messages {
		m, err := testkit.ReadMessage(raw)
		require.NoError(t, err)
		require.NoError(t, sequence.Take(m))
	}
}

// The same with an inline echo: what one read produced may pass the mark, then
// the session leaves the loop, and loses nothing.
func TestInlineEchoToAPeerThatDoesNotRead(t *testing.T) {
	e := startEngine(t)
	ln, err := e.Listen("127.0.0.1:0", ListenOptions{Inline: true, OnEvent: func(s *session.Session, ev session.Event) {
		if ev.Kind == session.Message {
			_ = s.Send(context.Background(), ev.Payload)
		}
	}})
	require.NoError(t, err)
	raw := dialForLong(t, ln.Addr())
	before := testkit.Heap()
	const size = 1000
	const messages = 64 << 20 / size
	w := countingWriter{raw, make(chan uint64, 1)}
	w.n <- 0
	go func() {
		for i := range messages {
			if _, err := w.Write(testkit.Frames(testkit.Numbered(i, size))); err != nil {
				return
			}
		}
	}()
	stalled(t, func() uint64 { n := <-w.n; w.n <- n; return n })
	require.Less(t, testkit.Heap()-before, int64(heapGrowth))
	require.NotZero(t, e.Stats().Left)
	var sequence testkit.Sequence
	in := bufio.NewReader(raw)
	for range messages {
		m, err := testkit.ReadMessage(in)
		require.NoError(t, err)
		require.Len(t, m, size)
		require.NoError(t, sequence.Take(m))
	}
}

func echo(s *session.Session) {
	for {
		ev, err := s.Recv(context.Background())
		if err != nil {
			return
		}
		if ev.Kind == session.Message {
			_ = s.Send(context.Background(), ev.Payload)
		}
	}
}

// pingPong talks to an echo, and logs what a round trip took; how long that
// may be is the business of a benchmark.
func pingPong(t *testing.T, conn net.Conn, n int) {
	t.Helper()
	took := make([]time.Duration, n)
	buf := make([]byte, 20)
	for i := range n {
		start := time.Now()
		_, err := conn.Write(testkit.Frames(testkit.Numbered(i, 16)))
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
		_, err = io.ReadFull(conn, buf)
		require.NoError(t, err)
		require.Equal(t, testkit.Frames(testkit.Numbered(i, 16)), buf)
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	t.Logf("neighbour's round trip: p50 %v, p99 %v, max %v", took[n/2], took[n*99/100], took[n-1])
}
