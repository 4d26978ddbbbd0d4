package e2e_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// A connection is lost, and the session talks on.

// The server goes, another one binds the same port, the same session talks on.
func TestAutoReconnect(t *testing.T) {
	first := newEngine(t)
	ln := listen(t, first, netasync.ListenOptions{})
	go echo(ln.AcceptChan())
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: quick})
	expect(t, c, netasync.Connected)
	send(t, c, "one")
	expectMessages(t, c, "one")

	require.NoError(t, first.Shutdown(testkit.Context(t)))
	lost := expect(t, c, netasync.Disconnected)
	require.ErrorIs(t, lost.Err, io.EOF)
	require.EqualValues(t, 1, lost.Epoch)
	send(t, c, "two") // waits for the next connection

	go echo(listenAt(t, newEngine(t), ln.Addr().String(), netasync.ListenOptions{}).AcceptChan())
	require.EqualValues(t, 2, expect(t, c, netasync.Connected).Epoch)
	expectMessages(t, c, "two")
}

// A client may be started before its server: many attempts, one Disconnected.
func TestClientBeforeServer(t *testing.T) {
	addr := testkit.DeadAddr(t)
	c := connect(t, newEngine(t), addr, netasync.ConnectOptions{Backoff: quick})
	send(t, c, "early")
	ev := expect(t, c, netasync.Disconnected)
	require.ErrorIs(t, ev.Err, syscall.ECONNREFUSED)
	require.Zero(t, ev.Epoch)
	testkit.Eventually(t, func() bool { return c.Stats().Attempts >= 10 }, "further attempts")
	require.Zero(t, c.Stats().Epoch)

	go echo(listenAt(t, newEngine(t), addr.String(), netasync.ListenOptions{}).AcceptChan())
	require.EqualValues(t, 1, expect(t, c, netasync.Connected).Epoch)
	expectMessages(t, c, "early")
}

// A server that is away for long, after it was there, is one outage, too.
func TestOneDisconnectedPerOutage(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: quick})
	expect(t, c, netasync.Connected)
	conn := testkit.Accept(t, ln)
	require.NoError(t, ln.Close())
	require.NoError(t, conn.SetLinger(0))
	require.NoError(t, conn.Close())

	ev := expect(t, c, netasync.Disconnected)
	require.True(t, errors.Is(ev.Err, syscall.ECONNRESET) || errors.Is(ev.Err, io.EOF), "%v", ev.Err)
	testkit.Eventually(t, func() bool { return c.Stats().Attempts >= 10 }, "further attempts")
	testkit.Accept(t, testkit.ListenAt(t, ln.Addr().String()))
	require.EqualValues(t, 2, expect(t, c, netasync.Connected).Epoch)
}

// A server that resets each connection at once, while the client may still be dialing: however
// that ends, connections and outages take turns. One that was over before its events were read may
// be left out.
func TestConnectedAndDisconnectedTakeTurns(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: netasync.FixedDelay(time.Millisecond)})
	for range 50 {
		conn := testkit.Accept(t, ln)
		require.NoError(t, conn.SetLinger(0))
		require.NoError(t, conn.Close())
	}
	testkit.Write(t, testkit.Accept(t, ln), testkit.Frames("enough"))
	epoch, connected := uint64(0), false
	for n := 0; ; n++ {
		ev := next(t, c)
		switch ev.Kind {
		case netasync.Connected:
			require.False(t, connected)
			require.Greater(t, ev.Epoch, epoch)
			epoch, connected = ev.Epoch, true
		case netasync.Disconnected:
			require.True(t, connected || n == 0)
			require.True(t, errors.Is(ev.Err, syscall.ECONNRESET) || errors.Is(ev.Err, io.EOF), "%v", ev.Err)
			connected = false
		case netasync.Message:
			require.True(t, connected)
			require.Equal(t, epoch, ev.Epoch)
			return
		default:
			require.Fail(t, "unexpected", "%v", ev)
		}
		require.Equal(t, epoch, ev.Epoch)
	}
}

// A server that is killed in the middle of a frame gets the frame again, whole, and then what was
// queued behind it.
func TestBreakWithinOutboundFrame(t *testing.T) {
	const size = 16 << 20 // more than the sockets of both ends hold
	big := strings.Repeat("0123456789abcdef", size/16)
	kill := map[string]func(*net.TCPConn) error{
		"FIN": (*net.TCPConn).CloseWrite, // with bytes unread, Close would reset
		"RST": func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) },
	}
	for name, kill := range kill {
		t.Run(name, func(t *testing.T) {
			ln := testkit.Listen(t)
			c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{
				Backoff: quick, MaxPayload: size, WriteBuffer: netasync.Buffer{Bytes: 2 * size},
			})
			conn := testkit.Accept(t, ln)
			require.NoError(t, conn.SetReadBuffer(64<<10))
			expect(t, c, netasync.Connected)
			send(t, c, "small", big, "behind", "it")
			expectFrames(t, conn, "small")
			_, err := io.ReadFull(conn, make([]byte, 100_000))
			require.NoError(t, err)
			require.NoError(t, kill(conn))

			ev := expect(t, c, netasync.Disconnected)
			require.Error(t, ev.Err)
			require.Equal(t, 3, ev.Queued)
			expectFrames(t, testkit.Accept(t, ln), big, "behind", "it")
			expect(t, c, netasync.Connected)
			testkit.Eventually(t, func() bool { return c.Stats().Sent == 4 }, "each counted once")
		})
	}
}

// What was left of a frame at a break is dropped: framing begins anew.
func TestPartialInboundFrameIsDropped(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: quick})
	conn := testkit.Accept(t, ln)
	testkit.Write(t, conn, []byte{0, 0, 1, 0, 'p', 'a', 'r', 't'})
	require.NoError(t, conn.Close())
	expect(t, c, netasync.Connected)
	require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, io.ErrUnexpectedEOF)
	testkit.Write(t, testkit.Accept(t, ln), testkit.Frames("whole"))
	expect(t, c, netasync.Connected)
	expectMessages(t, c, "whole")
}

// What is sent while the connection comes and goes arrives in order, and at most once.
func TestManyBreaks(t *testing.T) {
	const breaks = 20
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: netasync.FixedDelay(time.Millisecond)})
	stop, stopped := context.WithCancel(context.Background())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for n := 0; stop.Err() == nil; n++ {
			_ = c.Send(stop, testkit.Numbered(n, testkit.MinNumbered+3*(n%2000)))
		}
	}()
	sequence := testkit.Sequence{Gaps: true}
	for i := range breaks {
		conn := testkit.Accept(t, ln)
		for range 100 {
			payload, err := testkit.ReadMessage(conn)
			require.NoError(t, err)
			require.NoError(t, sequence.Take(payload))
		}
		if i%2 == 0 {
			require.NoError(t, conn.SetLinger(0))
		}
		require.NoError(t, conn.Close())
	}
	stopped()
	testkit.Ended(t, sent)
	testkit.Accept(t, ln)
	for { // nothing was read until now: of connections that brought nothing, the last is told
		ev := expect(t, c, netasync.Connected)
		if ev.Epoch == breaks+1 {
			return
		}
		require.Equal(t, ev.Epoch, expect(t, c, netasync.Disconnected).Epoch)
	}
}

// A session that is not read through many outages tells the truth when it is.
func TestUnreadOutagesAreCoalesced(t *testing.T) {
	const outages = 100
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: netasync.FixedDelay(time.Millisecond)})
	for range outages {
		require.NoError(t, testkit.Accept(t, ln).Close())
	}
	conn := testkit.Accept(t, ln)
	testkit.Eventually(t, func() bool { return c.Stats().Epoch == outages+1 }, "the last connection")
	require.EqualValues(t, outages+1, expect(t, c, netasync.Connected).Epoch)
	testkit.Write(t, conn, testkit.Frames("here"))
	expectMessages(t, c, "here")
}

// A server that sends a bad length is left, and tried again.
func TestBadLengthFromServer(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: quick})
	testkit.Write(t, testkit.Accept(t, ln), []byte{0x7f, 0xff, 0xff, 0xff})
	expect(t, c, netasync.Connected)
	require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, netasync.ErrFrameTooLarge)
	testkit.Write(t, testkit.Accept(t, ln), testkit.Frames("sorry"))
	require.EqualValues(t, 2, expect(t, c, netasync.Connected).Epoch)
	expectMessages(t, c, "sorry")
}
