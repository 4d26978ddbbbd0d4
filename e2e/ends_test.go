package e2e_test

import (
	"context"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// How sessions end. An engine's end is shutdown_test.go's, and a listener's is listener_test.go's.

// Close flushes what is queued, then comes FIN, then Closed.
func TestCloseFlushes(t *testing.T) {
	for name, end := range map[string]func(*netasync.Session){
		"Close":            func(s *netasync.Session) { _ = s.Close() },
		"close(WriteChan)": func(s *netasync.Session) { close(s.WriteChan()) },
	} {
		t.Run(name, func(t *testing.T) {
			ln := testkit.Listen(t)
			c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{})
			conn := testkit.Accept(t, ln)
			expect(t, c, netasync.Connected)
			texts := testkit.Texts(50)
			for _, text := range texts {
				testkit.Put(t, c.WriteChan(), []byte(text))
			}
			end(c)
			require.NoError(t, expectClosed(t, c).Err)
			expectFrames(t, conn, texts...)
			expectEOF(t, conn)
		})
	}
}

// Large messages are flushed as well, at the pace of the peer.
func TestCloseFlushesToSlowPeer(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{WriteBuffer: netasync.Buffer{Bytes: 64 << 20}, Linger: testkit.Patience})
	conn := testkit.Accept(t, ln)
	require.NoError(t, conn.SetReadBuffer(64<<10))
	expect(t, c, netasync.Connected)
	text := strings.Repeat("0123456789abcdef", 64<<10)
	for range 20 {
		send(t, c, text)
	}
	require.NoError(t, c.Close())
	require.ErrorIs(t, c.TrySend([]byte("late")), netasync.ErrClosed)
	for range 20 {
		expectFrames(t, conn, text)
	}
	expectEOF(t, conn)
	require.NoError(t, expectClosed(t, c).Err)
}

// Close loses nothing though its peer is sending all the time: a reset must not overtake what was
// sent.
func TestCloseFlushesToBusyPeer(t *testing.T) {
	const n = 10_000
	for name, co := range map[string]netasync.ConnectOptions{
		"tcp": {},
		"tls": {TLS: certificates().client(false)},
	} {
		t.Run(name, func(t *testing.T) {
			lo := netasync.ListenOptions{}
			if co.TLS != nil {
				lo.TLS = certificates().server(false)
			}
			c, server := pair(t, lo, co)
			echoes := make(chan struct{})
			go func() {
				defer close(echoes)
				for ev, err := c.Recv(context.Background()); err == nil; ev, err = c.Recv(context.Background()) {
					_ = ev
				}
			}()
			go func() {
				for i := range n {
					if i == n-1 {
						defer c.Close()
					}
					_ = c.Send(context.Background(), testkit.Numbered(i, testkit.MinNumbered))
				}
			}()
			var sequence testkit.Sequence
			for range n {
				ev := expect(t, server, netasync.Message)
				require.NoError(t, sequence.Take(ev.Payload))
				// It fails at the end, when the client is gone.
				if err := server.Send(testkit.Context(t), ev.Payload); err != nil {
					require.ErrorIs(t, err, netasync.ErrClosed)
				}
			}
			require.ErrorIs(t, expectClosed(t, server).Err, io.EOF)
			testkit.Ended(t, echoes)
		})
	}
}

// A plain peer that floods us while we close gets all that we had queued, and an orderly end.
func TestCloseFlushesToFloodingPeer(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{})
	conn := testkit.Accept(t, ln)
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		for wire := testkit.Frames(testkit.Texts(100)...); ; {
			if _, err := conn.Write(wire); err != nil {
				return
			}
		}
	}()
	expect(t, c, netasync.Connected) // and nothing else is read
	texts := testkit.Texts(100)
	send(t, c, texts...)
	require.NoError(t, c.Close())
	expectFrames(t, conn, texts...)
	expectEOF(t, conn)
	untilClosed(t, c)
	require.NoError(t, conn.Close())
	testkit.Ended(t, flooded)
}

// Close may be called from everywhere, any number of times.
func TestCloseIsIdempotent(t *testing.T) {
	c, server := pair(t, netasync.ListenOptions{}, netasync.ConnectOptions{})
	send(t, c, "last words")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { _ = c.Close() })
	}
	all.Wait()
	require.NoError(t, expectClosed(t, c).Err)
	require.NoError(t, c.Close())
	expectMessages(t, server, "last words")
	expectClosed(t, server)
	require.NoError(t, server.Close())
}

// After Close, the user may still close WriteChan, once.
func TestCloseThenCloseWriteChan(t *testing.T) {
	c, server := pair(t, netasync.ListenOptions{}, netasync.ConnectOptions{})
	testkit.Put(t, c.WriteChan(), []byte("last words"))
	require.NoError(t, c.Close())
	close(c.WriteChan())
	require.NoError(t, expectClosed(t, c).Err)
	expectMessages(t, server, "last words")
	expectClosed(t, server)
}

// Close that races a connect in flight always ends in Closed.
func TestCloseRacingConnect(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{AcceptBuffer: 500})
	dead := testkit.DeadAddr(t)
	for i := range 200 {
		addr, o := ln.Addr(), netasync.ConnectOptions{Backoff: netasync.FixedDelay(time.Microsecond)}
		if i%3 == 2 {
			addr = dead
		}
		c := connect(t, e, addr, o)
		for range i % 40 * 5 {
			runtime.Gosched()
		}
		if i%2 == 0 {
			require.NoError(t, c.Close())
		} else {
			close(c.WriteChan())
		}
		before, closed := untilClosed(t, c)
		require.LessOrEqual(t, len(before), 1)
		require.NoError(t, closed.Err)
		require.Zero(t, closed.Queued)
	}
	require.NoError(t, ln.Close())
	for s := range ln.AcceptChan() {
		untilClosed(t, s)
	}
	testkit.Eventually(t, func() bool { return e.Stats().Sessions == 0 }, "nobody reconnects")
}

// A client that is closed while its server is away, and has nothing to send, does not come back.
func TestCloseDuringDisconnected(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: netasync.FixedDelay(time.Hour)})
	conn := testkit.Accept(t, ln)
	expect(t, c, netasync.Connected)
	require.NoError(t, conn.Close())
	expect(t, c, netasync.Disconnected)
	attempts := c.Stats().Attempts

	require.NoError(t, c.Close())
	ev := expectClosed(t, c)
	require.NoError(t, ev.Err)
	require.Zero(t, ev.Queued)
	c.RetryNow()
	require.Equal(t, attempts, c.Stats().Attempts)
}

// A peer that never reads holds up Close for Linger, not for ever.
func TestLinger(t *testing.T) {
	for name, tls := range map[string]bool{"tcp": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			lo, co := netasync.ListenOptions{}, netasync.ConnectOptions{
				WriteBuffer: netasync.Buffer{Cap: 1000, Bytes: 1 << 30}, Linger: 100 * time.Millisecond,
			}
			if tls {
				lo.TLS, co.TLS = certificates().server(false), certificates().client(false)
			}
			c, server := pair(t, lo, co)
			for range 100 {
				send(t, c, strings.Repeat("x", 1<<20))
			}
			require.NoError(t, c.Close())
			ev := expectClosed(t, c)
			require.ErrorIs(t, ev.Err, netasync.ErrLinger)
			require.Positive(t, ev.Queued)

			before, closed := untilClosed(t, server)
			require.Less(t, len(before), 100)
			require.Error(t, closed.Err)
		})
	}
}
