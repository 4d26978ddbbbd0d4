package e2e_test

import (
	"errors"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

// A good server is one that says something.

// reaches wants a session that has come through an outage to deliver all messages, and to have told
// of one Disconnected at most before its first connection.
func reaches(t *testing.T, c *netasync.Session, server <-chan *netasync.Session, texts []string) {
	t.Helper()
	s := testkit.Take(t, server)
	expect(t, s, netasync.Connected)
	expectMessages(t, s, texts...)
	ev := next(t, c)
	if ev.Kind == netasync.Disconnected {
		ev = next(t, c)
	}
	require.Equal(t, netasync.Connected, ev.Kind)
	require.EqualValues(t, 1, ev.Epoch, "connections that said nothing are none")
}

// With AwaitPeer nothing is lost to what accepts connections and is no server that works.
func TestAwaitPeerLosesNothing(t *testing.T) {
	texts := testkit.Texts(100)
	t.Run("a proxy whose backend is dead", func(t *testing.T) {
		e := newEngine(t)
		dead := testkit.DeadAddr(t)
		proxy := netasynctest.NewProxy(t, dead.String())
		c, err := e.Connect(proxy.Addr(), netasync.ConnectOptions{AwaitPeer: true, Backoff: quick})
		require.NoError(t, err)
		send(t, c, texts...)
		testkit.Eventually(t, func() bool { return c.Stats().Attempts > 5 }, "attempts")
		require.NotEqual(t, netasync.StateConnected, c.State())
		reaches(t, c, listenAt(t, e, dead.String(), netasync.ListenOptions{}).AcceptChan(), texts)
	})
	t.Run("Authorize refuses", func(t *testing.T) {
		e := newEngine(t)
		var refused atomic.Int64
		ln := listen(t, e, netasync.ListenOptions{Authorize: func(net.Conn) error {
			if refused.Add(1) <= 5 {
				return errors.New("not yet")
			}
			return nil
		}})
		c := connect(t, e, ln.Addr(), netasync.ConnectOptions{AwaitPeer: true, Backoff: quick})
		send(t, c, texts...)
		reaches(t, c, ln.AcceptChan(), texts)
	})
	t.Run("the server is full", func(t *testing.T) {
		e := newEngine(t)
		ln := listen(t, e, netasync.ListenOptions{MaxSessions: 1})
		first := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
		testkit.Take(t, ln.AcceptChan())
		c := connect(t, e, ln.Addr(), netasync.ConnectOptions{AwaitPeer: true, Backoff: quick})
		send(t, c, texts...)
		testkit.Eventually(t, func() bool { return e.Stats().Refused >= 5 }, "the server refused")
		require.NoError(t, first.Close())
		reaches(t, c, ln.AcceptChan(), texts)
	})
}

// The first word may be a heartbeat, a message, or one that comes in pieces, with any way to consume.
func TestAwaitPeerHearsTheFirstWord(t *testing.T) {
	for name, word := range map[string][]byte{
		"heartbeat":         testkit.Frames(""),
		"message":           testkit.Frames("welcome"),
		"heartbeat, behind": append(testkit.Frames(""), testkit.Frames("welcome")...),
	} {
		for _, inline := range []bool{false, true} {
			for _, chunk := range []int{1, 3, len(word)} {
				t.Run(name+", chunks of "+strconv.Itoa(chunk), func(t *testing.T) {
					ln := testkit.Listen(t)
					events := make(chan netasync.Event, 10)
					o := netasync.ConnectOptions{AwaitPeer: true, Inline: inline}
					if inline {
						o.OnEvent = func(_ *netasync.Session, ev netasync.Event) {
							ev.Payload = append([]byte(nil), ev.Payload...)
							events <- ev
						}
					}
					c := connect(t, newEngine(t), ln.Addr(), o)
					if !inline {
						go func() {
							for ev := range c.ReadChan() {
								events <- ev
							}
						}()
					}
					send(t, c, "first", "second")
					conn := testkit.Accept(t, ln)
					for rest := word; len(rest) > 0; rest = rest[min(chunk, len(rest)):] {
						testkit.Write(t, conn, rest[:min(chunk, len(rest))])
					}
					require.Equal(t, netasync.Connected, testkit.Take(t, events).Kind)
					if len(word) > 4 {
						require.Equal(t, "welcome", string(testkit.Take(t, events).Payload))
					}
					expectFrames(t, conn, "first", "second")
				})
			}
		}
	}
}

// A connection that brings nothing is a failed attempt, of which MaxAttempts counts each, and an
// outage has one Disconnected.
func TestAwaitPeerGivesUp(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{
		AwaitPeer: true, Backoff: quick, MaxAttempts: 3,
		HeartbeatPeriod: 10 * time.Millisecond, HeartbeatTimeout: 50 * time.Millisecond,
	})
	send(t, c, "kept")
	require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, netasync.ErrHeartbeatTimeout)
	ev := expectClosed(t, c)
	require.ErrorIs(t, ev.Err, netasync.ErrHeartbeatTimeout)
	require.Equal(t, 1, ev.Queued)
	require.Zero(t, ev.Epoch)
	require.EqualValues(t, 3, c.Stats().Attempts)
}

// The ends of a session that has a connection whose peer was not heard.
func TestAwaitPeerEnds(t *testing.T) {
	for name, test := range map[string]struct {
		queued int
		end    func(*netasync.Session)
		err    error
	}{
		"Close, nothing queued": {0, func(s *netasync.Session) { _ = s.Close() }, nil},
		"Close":                 {3, func(s *netasync.Session) { _ = s.Close() }, netasync.ErrLinger},
		"close(WriteChan)":      {3, func(s *netasync.Session) { close(s.WriteChan()) }, netasync.ErrLinger},
		"CloseNow":              {3, func(s *netasync.Session) { s.CloseNow(io.ErrNoProgress) }, io.ErrNoProgress},
	} {
		t.Run(name, func(t *testing.T) {
			ln := testkit.Listen(t)
			c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{AwaitPeer: true, Linger: brief})
			conn := testkit.Accept(t, ln)
			send(t, c, testkit.Texts(test.queued)...)
			test.end(c)
			ev := expectClosed(t, c)
			if test.err == nil {
				require.NoError(t, ev.Err)
			} else {
				require.ErrorIs(t, ev.Err, test.err)
			}
			require.Equal(t, test.queued, ev.Queued)
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.Empty(t, got)
		})
	}
	t.Run("Close flushes once the peer was heard", func(t *testing.T) {
		ln := testkit.Listen(t)
		c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{AwaitPeer: true})
		conn := testkit.Accept(t, ln)
		send(t, c, "last words")
		require.NoError(t, c.Close())
		testkit.Write(t, conn, testkit.Frames(""))
		expectFrames(t, conn, "last words")
		expectEOF(t, conn)
		expect(t, c, netasync.Connected)
		require.NoError(t, expectClosed(t, c).Err)
	})
}
