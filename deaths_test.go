package netasync_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// Ends that nobody chose, and those that race.

// A peer dies while our user, who does not read at the moment, waits in Send: the Send returns, and the session ends.
func TestDeathOfPeerEndsWaitingSend(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{ReadBuffer: netasync.Fixed(2), WriteBuffer: netasync.Fixed(2)})
	conn := rawDial(t, ln.Addr())
	s := take(t, ln.AcceptChan())
	write(t, conn, frames(numbered(1000)...)) // more than anybody takes
	result := make(chan error, 1)
	go func() {
		for {
			if err := s.Send(context.Background(), make([]byte, 1<<20)); err != nil {
				result <- err
				return
			}
		}
	}()
	eventually(t, func() bool { return s.Stats().Queued == 2 && s.Stats().Unread == 2 }, "both directions are stuck")
	require.NoError(t, conn.SetLinger(0))
	require.NoError(t, conn.Close())
	require.ErrorIs(t, take(t, result), netasync.ErrClosed)
	untilClosed(t, s)
}

// An echo, Recv and Send in turn, whose peer floods, never reads, and dies: an accepted session
// ends, a dialed one is connected again.
func TestEchoOutlivesItsPeer(t *testing.T) {
	fill := func(conn *net.TCPConn) { // until the echo is stuck in Send, and so are we
		wire := frames(strings.Repeat("x", 1<<20))
		for _ = conn.SetWriteDeadline(time.Now().Add(time.Second)); ; {
			if _, err := conn.Write(wire); err != nil {
				break
			}
		}
		_ = conn.SetLinger(0)
		_ = conn.Close()
	}
	t.Run("accepted", func(t *testing.T) {
		ln := listen(t, newEngine(t), netasync.ListenOptions{})
		conn := rawDial(t, ln.Addr())
		s := take(t, ln.AcceptChan())
		go echoSession(s)
		fill(conn)
		ended(t, s.Done())
	})
	t.Run("dialed", func(t *testing.T) {
		ln := rawListen(t)
		c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: quick})
		go echoSession(c)
		fill(rawAccept(t, ln))
		rawAccept(t, ln)
	})
}

// Close that races a connect in flight always ends in Closed.
func TestCloseRacingConnect(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{AcceptBuffer: 500})
	dead := deadAddr(t)
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
	eventually(t, func() bool { return e.Stats().Sessions == 0 }, "nobody reconnects")
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

// What a peer sent before it closed is delivered, however slow its reader.
func TestPeerClosesBeforeWeRead(t *testing.T) {
	c, server := pair(t, netasync.ListenOptions{ReadBuffer: netasync.Fixed(2)}, netasync.ConnectOptions{WriteBuffer: netasync.Fixed(1000)})
	texts := numbered(1000)
	send(t, c, texts...)
	require.NoError(t, c.Close())
	require.NoError(t, expectClosed(t, c).Err)
	expectMessages(t, server, texts...)
	require.ErrorIs(t, expectClosed(t, server).Err, io.EOF)
}

// Listener.Close frees the port and ends AcceptChan; sessions live on, also those that wait there.
func TestListenerClose(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	expect(t, c, netasync.Connected)
	taken := take(t, ln.AcceptChan())
	go echoSession(taken)
	waiting := rawDial(t, ln.Addr())
	write(t, waiting, frames("hello"))
	eventually(t, func() bool { return len(ln.AcceptChan()) == 1 }, "it waits")

	require.NoError(t, ln.Close())
	require.NoError(t, ln.Close())
	again := listenAt(t, e, ln.Addr().String(), netasync.ListenOptions{})
	s := take(t, ln.AcceptChan())
	ended(t, ln.AcceptChan())
	go echoSession(s)
	expectFrames(t, waiting, "hello")
	send(t, c, "still here")
	expectMessages(t, c, "still here")

	write(t, rawDial(t, again.Addr()), frames("new"))
	s = take(t, again.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, "new")
}

// When AcceptChan is full, accepting pauses; nobody is lost, and the sessions there are go on.
func TestAcceptBufferFull(t *testing.T) {
	const clients = 40
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{AcceptBuffer: 1})
	first := rawDial(t, ln.Addr())
	go echoSession(take(t, ln.AcceptChan()))
	texts := numbered(clients)
	for _, text := range texts {
		write(t, rawDial(t, ln.Addr()), frames(text))
	}
	for range 200 { // time enough to accept them all
		write(t, first, frames("well?"))
		expectFrames(t, first, "well?")
	}
	require.Less(t, e.Stats().Sessions, clients/2)

	missing := make(map[string]bool)
	for _, text := range texts {
		missing[text] = true
	}
	for range clients {
		s := take(t, ln.AcceptChan())
		expect(t, s, netasync.Connected)
		delete(missing, string(expect(t, s, netasync.Message).Payload))
	}
	require.Empty(t, missing)
}

// A session whose user drops it, events unread, leaves nothing running once it has closed.
func TestAbandonedSession(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{HeartbeatPeriod: 10 * time.Millisecond, HeartbeatTimeout: patience})
	func() { // afterwards the listener and an event loop have their goroutines
		conn := rawDial(t, ln.Addr())
		s := take(t, ln.AcceptChan())
		require.NoError(t, conn.Close())
		untilClosed(t, s)
	}()
	ours := more()
	func() {
		conn := rawDial(t, ln.Addr())
		s := take(t, ln.AcceptChan())
		events := s.ReadChan()
		put(t, s.WriteChan(), []byte("hello"))
		expectFrames(t, conn, "hello")
		write(t, conn, frames(numbered(100)...)) // more than the channel holds
		require.NoError(t, conn.Close())
		ended(t, s.Done())
		require.Equal(t, netasync.Connected, take(t, events).Kind)
	}()
	require.Empty(t, settle(ours))
}
