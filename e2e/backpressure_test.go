package e2e_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// What a slow reader holds up, and what it does not.

// Send waits for room, until its context ends: then the message is not queued.
func TestSendWhileFull(t *testing.T) {
	c, listen := down(t, netasync.Fixed(2))
	send(t, c, "1", "2")

	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	go func() { result <- c.Send(ctx, []byte("cancelled")) }()
	cancel()
	require.ErrorIs(t, testkit.Take(t, result), context.Canceled)
	ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, c.Send(ctx, []byte("late")), context.DeadlineExceeded)
	require.Equal(t, 2, c.Stats().Queued)

	const waiting = 20
	for range waiting {
		go func() { result <- c.Send(context.Background(), []byte("patient")) }()
	}
	peer := listen()
	for range waiting {
		require.NoError(t, testkit.Take(t, result))
	}
	expectFrames(t, peer, "1", "2")
	for range waiting {
		expectFrames(t, peer, "patient")
	}
}

// A Send with a context that has ended already queues nothing, room or not.
func TestSendWithEndedContext(t *testing.T) {
	c, _ := down(t, netasync.Fixed(2))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, c.Send(ctx, []byte("no")), context.Canceled)
	require.Zero(t, c.Stats().Queued)
}

// Every Send that waits returns when the session closes.
func TestCloseEndsWaitingSends(t *testing.T) {
	c, _ := down(t, netasync.Fixed(1))
	send(t, c, "1")
	result := make(chan error)
	for range 20 {
		go func() { result <- c.Send(context.Background(), []byte("waiting")) }()
	}
	require.NoError(t, c.Close())
	for range 20 {
		require.ErrorIs(t, testkit.Take(t, result), netasync.ErrClosed)
	}
	require.Equal(t, 1, expectClosed(t, c).Queued)
}

// A peer dies while our user, not reading at the moment, waits in Send: the Send returns, and
// the session ends.
func TestDeathOfPeerEndsWaitingSend(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{ReadBuffer: netasync.Fixed(2), WriteBuffer: netasync.Fixed(2)})
	conn := testkit.Dial(t, ln.Addr())
	s := testkit.Take(t, ln.AcceptChan())
	testkit.Write(t, conn, testkit.Frames(testkit.Texts(1000)...)) // more than is taken
	result := make(chan error, 1)
	go func() {
		for {
			if err := s.Send(context.Background(), make([]byte, 1<<20)); err != nil {
				result <- err
				return
			}
		}
	}()
	testkit.Eventually(t, func() bool { return s.Stats().Queued == 2 && s.Stats().Unread == 2 }, "both directions are stuck")
	require.NoError(t, conn.SetLinger(0))
	require.NoError(t, conn.Close())
	require.ErrorIs(t, testkit.Take(t, result), netasync.ErrClosed)
	untilClosed(t, s)
}

// A full Fixed buffer holds back the peer and loses nothing; the neighbour does not notice.
func TestFixedInboundHoldsBackThePeer(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{ReadBuffer: netasync.Fixed(4)})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{WriteBuffer: netasync.Fixed(4)})
	slow := testkit.Take(t, ln.AcceptChan())
	expect(t, c, netasync.Connected)
	neighbour := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	go echoSession(testkit.Take(t, ln.AcceptChan()))
	expect(t, neighbour, netasync.Connected)

	const n, size = 1000, 64 << 10 // more than the sockets hold
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := c.Send(context.Background(), testkit.Numbered(i, size)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	testkit.Eventually(t, func() bool { return e.Stats().Left > 0 }, "the slow one left its loop")
	for _, text := range testkit.Texts(100) {
		send(t, neighbour, text)
		expectMessages(t, neighbour, text)
	}
	require.Empty(t, sent, "the peer is held back")
	require.LessOrEqual(t, slow.Stats().Unread, 4)

	expect(t, slow, netasync.Connected)
	var sequence testkit.Sequence
	for range n {
		require.NoError(t, sequence.Take(expect(t, slow, netasync.Message).Payload))
	}
	require.NoError(t, testkit.Take(t, sent))
}

// An echo, Recv and Send in turn, whose peer floods, never reads, and dies: an accepted session
// ends, a dialed one is connected again.
func TestEchoOutlivesItsPeer(t *testing.T) {
	fill := func(conn *net.TCPConn) { // until the echo is stuck in Send, and so are we
		wire := testkit.Frames(strings.Repeat("x", 1<<20))
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
		conn := testkit.Dial(t, ln.Addr())
		s := testkit.Take(t, ln.AcceptChan())
		go echoSession(s)
		fill(conn)
		testkit.Ended(t, s.Done())
	})
	t.Run("dialed", func(t *testing.T) {
		ln := testkit.Listen(t)
		c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: quick, Linger: brief})
		go echoSession(c)
		fill(testkit.Accept(t, ln))
		testkit.Accept(t, ln)
	})
}
