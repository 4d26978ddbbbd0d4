package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// ends are the graceful ways to end a session that has messages, and its engine with it. They do
// not wait.
var ends = map[string]func(*testing.T, *netasync.Engine, *netasync.Session){
	"Close": func(t *testing.T, _ *netasync.Engine, s *netasync.Session) {
		require.NoError(t, s.Close())
	},
	"close(WriteChan)": func(_ *testing.T, _ *netasync.Engine, s *netasync.Session) {
		close(s.WriteChan())
	},
	"Shutdown": func(t *testing.T, e *netasync.Engine, _ *netasync.Session) {
		done := make(chan struct{})
		t.Cleanup(func() { <-done })
		go func() {
			defer close(done)
			ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
			defer cancel()
			var unsent *netasync.UnsentError
			if err := e.Shutdown(ctx); !errors.As(err, &unsent) {
				assert.NoError(t, err)
			}
		}()
	},
}

const flushed = 100

// sendAndEnd sends numbered messages by both ways and ends the session at once.
func sendAndEnd(t *testing.T, name string, e *netasync.Engine, s *netasync.Session) {
	t.Helper()
	for i := range flushed {
		m := testkit.Numbered(i, testkit.MinNumbered)
		if name == "close(WriteChan)" {
			testkit.Put(t, s.WriteChan(), m)
		} else {
			require.NoError(t, s.Send(testkit.Context(t), m))
		}
	}
	ends[name](t, e, s)
}

// arrives wants all messages to arrive on a connection, and then its end.
func arrives(t *testing.T, conn *net.TCPConn) {
	t.Helper()
	var sequence testkit.Sequence
	for range flushed {
		m, err := testkit.ReadMessage(conn)
		require.NoError(t, err)
		require.NoError(t, sequence.Take(m))
	}
	expectEOF(t, conn)
}

// Connect, Send, Close: all messages arrive, though there was no connection yet.
func TestEndsFlushToAServerThatIsUp(t *testing.T) {
	for name := range ends {
		t.Run(name, func(t *testing.T) {
			ln, e := testkit.Listen(t), newEngine(t)
			s := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
			sendAndEnd(t, name, e, s)
			arrives(t, testkit.Accept(t, ln))
			_, ev := untilClosed(t, s)
			require.NoError(t, ev.Err)
			require.Zero(t, ev.Queued)
		})
	}
}

// The server is down when the session is ended, before the first connection or after an outage,
// and comes back within Linger. A long back-off is under way: it is cut short once.
func TestEndsFlushToAServerThatComesBack(t *testing.T) {
	for name := range ends {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprint(name, " before the first: ", first), func(t *testing.T) {
				ln, e := testkit.Listen(t), newEngine(t)
				if first {
					require.NoError(t, ln.Close())
				}
				s := connect(t, e, ln.Addr(), netasync.ConnectOptions{
					Backoff: netasync.FixedDelay(200 * time.Millisecond), Linger: testkit.Patience,
				})
				if !first {
					require.NoError(t, testkit.Accept(t, ln).Close())
					require.NoError(t, ln.Close())
				}
				testkit.Eventually(t, func() bool { return s.State() == netasync.StateDisconnected }, "an outage")
				sendAndEnd(t, name, e, s)
				attempts := s.Stats().Attempts
				testkit.Eventually(t, func() bool { return s.Stats().Attempts > attempts+1 }, "attempts")
				require.ErrorIs(t, s.TrySend([]byte("late")), netasync.ErrClosed)
				arrives(t, testkit.Accept(t, testkit.ListenAt(t, ln.Addr().String())))
				_, ev := untilClosed(t, s)
				require.NoError(t, ev.Err)
				require.Zero(t, ev.Queued)
			})
		}
	}
}

// The wait between two attempts is cut short when closing begins, however long it is.
func TestEndCutsTheBackOffShort(t *testing.T) {
	for name := range ends {
		t.Run(name, func(t *testing.T) {
			ln, e := testkit.Listen(t), newEngine(t)
			s := connect(t, e, ln.Addr(), netasync.ConnectOptions{
				Backoff: netasync.FixedDelay(time.Hour), Linger: testkit.Patience,
			})
			require.NoError(t, testkit.Accept(t, ln).Close())
			testkit.Eventually(t, func() bool { return s.State() == netasync.StateDisconnected }, "an outage")
			sendAndEnd(t, name, e, s)
			arrives(t, testkit.Accept(t, ln))
			_, ev := untilClosed(t, s)
			require.NoError(t, ev.Err)
		})
	}
}

// The server does not come back: Closed comes when Linger has passed, and tells exactly what was
// lost.
func TestEndsGiveUpAfterLinger(t *testing.T) {
	for name := range ends {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t)
			s := connect(t, e, testkit.DeadAddr(t), netasync.ConnectOptions{
				Backoff: quick, Linger: 200 * time.Millisecond,
			})
			sendAndEnd(t, name, e, s)
			_, ev := untilClosed(t, s)
			require.Equal(t, flushed, ev.Queued)
			require.ErrorIs(t, ev.Err, netasync.ErrLinger)
			require.Equal(t, flushed, s.Stats().Queued)
		})
	}
}

// Shutdown's context ends before Linger: Closed tells what was lost, and so does Shutdown.
func TestShutdownGivesUpWithItsContext(t *testing.T) {
	e := newEngine(t)
	s := connect(t, e, testkit.DeadAddr(t), netasync.ConnectOptions{Backoff: quick, Linger: time.Hour})
	send(t, s, testkit.Texts(flushed)...)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	err := e.Shutdown(ctx)
	var unsent *netasync.UnsentError
	require.ErrorAs(t, err, &unsent)
	require.Equal(t, flushed, unsent.Messages)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, ev := untilClosed(t, s)
	require.Equal(t, flushed, ev.Queued)
	require.ErrorIs(t, ev.Err, netasync.ErrShutdown)
}

// CloseNow throws a peer out: nothing is flushed, and Closed tells the cause.
func TestCloseNow(t *testing.T) {
	cause := errors.New("thrown out")
	for name, tls := range map[string]bool{"tcp": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			lo, co := netasync.ListenOptions{}, netasync.ConnectOptions{Backoff: netasync.FixedDelay(time.Hour)}
			if tls {
				lo.TLS, co.TLS = certificates().server(false), certificates().client(false)
			}
			dialed, accepted := pair(t, lo, co)
			accepted.CloseNow(cause)
			ev := expectClosed(t, accepted)
			require.Equal(t, cause, ev.Err)
			expect(t, dialed, netasync.Disconnected)

			send(t, dialed, "one", "two")
			dialed.CloseNow(nil)
			ev = expectClosed(t, dialed)
			require.NoError(t, ev.Err)
			require.Equal(t, 2, ev.Queued)
		})
	}
}
