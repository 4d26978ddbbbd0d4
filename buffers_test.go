package netasync_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// down returns a session that is disconnected and stays so until RetryNow, and
// the address that it wants to be connected to.
func down(t *testing.T, buffer netasync.Buffer) (c *netasync.Session, listen func() (peer io.Reader)) {
	t.Helper()
	addr := deadAddr(t)
	c = connect(t, newEngine(t), addr, netasync.ConnectOptions{WriteBuffer: buffer, Backoff: netasync.FixedDelay(time.Hour)})
	expect(t, c, netasync.Disconnected)
	return c, func() io.Reader {
		ln := rawListenAt(t, addr.String())
		c.RetryNow()
		expect(t, c, netasync.Connected)
		return rawAccept(t, ln)
	}
}

// Outbound, while there is no connection, each policy keeps exactly as many messages as its buffer has room for.
func TestOutboundBuffers(t *testing.T) {
	texts := numbered(10)
	for name, want := range map[string]struct {
		buffer  netasync.Buffer
		full    bool // TrySend says so
		kept    []string
		dropped uint64
	}{
		"Fixed":    {netasync.Fixed(3), true, texts[:3], 0},
		"Dropping": {netasync.Dropping(3), false, texts[:3], 7},
		"Sliding":  {netasync.Sliding(3), false, texts[7:], 7},
		// Each text is nine bytes: with 20 of them, the third finds room, and the fourth does not.
		"Fixed by bytes":    {netasync.Buffer{Bytes: 20}, true, texts[:3], 0},
		"Dropping by bytes": {netasync.Buffer{Bytes: 20, Policy: netasync.PolicyDropping}, false, texts[:3], 7},
		"Sliding by bytes":  {netasync.Buffer{Bytes: 20, Policy: netasync.PolicySliding}, false, texts[7:], 7},
	} {
		t.Run(name, func(t *testing.T) {
			c, listen := down(t, want.buffer)
			for i, text := range texts {
				err := c.TrySend([]byte(text))
				if want.full && i >= 3 {
					require.ErrorIs(t, err, netasync.ErrQueueFull)
				} else {
					require.NoError(t, err)
				}
			}
			require.Equal(t, 3, c.Stats().Queued)
			require.Equal(t, want.dropped, c.Stats().Dropped)

			peer := listen()
			expectFrames(t, peer, want.kept...)
			send(t, c, "there is room again")
			expectFrames(t, peer, "there is room again")
			require.Equal(t, want.dropped, c.Stats().Dropped)
		})
	}
}

// A message larger than the buffer's bytes fits while the buffer is empty, and then nothing else does.
func TestMessageLargerThanBuffer(t *testing.T) {
	c, listen := down(t, netasync.Buffer{Bytes: 10})
	large := strings.Repeat("x", 1000)
	require.NoError(t, c.TrySend([]byte(large)))
	require.ErrorIs(t, c.TrySend([]byte("y")), netasync.ErrQueueFull)
	expectFrames(t, listen(), large)
}

// Send waits for room, until its context ends: then the message is not queued.
func TestSendWhileFull(t *testing.T) {
	c, listen := down(t, netasync.Fixed(2))
	send(t, c, "1", "2")

	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	go func() { result <- c.Send(ctx, []byte("cancelled")) }()
	cancel()
	require.ErrorIs(t, take(t, result), context.Canceled)
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
		require.NoError(t, take(t, result))
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

// Everybody who waits in Send is told when the session closes.
func TestCloseEndsWaitingSends(t *testing.T) {
	c, _ := down(t, netasync.Fixed(1))
	send(t, c, "1")
	result := make(chan error)
	for range 20 {
		go func() { result <- c.Send(context.Background(), []byte("waiting")) }()
	}
	require.NoError(t, c.Close())
	for range 20 {
		require.ErrorIs(t, take(t, result), netasync.ErrClosed)
	}
	require.Equal(t, 1, expectClosed(t, c).Queued)
}

// Inbound, a lossy policy keeps as many messages as its buffer has room for, in order, and every lifecycle event.
func TestInboundBuffers(t *testing.T) {
	texts := numbered(100)
	for name, want := range map[string]struct {
		buffer netasync.Buffer
		kept   []string
	}{
		"Dropping": {netasync.Dropping(10), texts[:10]},
		"Sliding":  {netasync.Sliding(10), texts[90:]},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t)
			ln := listen(t, e, netasync.ListenOptions{ReadBuffer: want.buffer})
			conn := rawDial(t, ln.Addr())
			s := take(t, ln.AcceptChan())
			write(t, conn, frames(texts...))
			require.NoError(t, conn.Close())
			ended(t, s.Done())
			st := s.Stats()
			require.EqualValues(t, 100, st.Received)
			require.EqualValues(t, 90, st.Dropped)
			require.Equal(t, 10, st.Unread)
			require.Zero(t, e.Stats().Left, "who loses messages need not hold back the peer")

			expect(t, s, netasync.Connected)
			expectMessages(t, s, want.kept...)
			expectClosed(t, s)
		})
	}
}

// The read channel may have one event more in its hand, but loses no lifecycle event either, connection after connection.
func TestSlidingReadChanKeepsLifecycle(t *testing.T) {
	const outages = 10
	ln := rawListen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{ReadBuffer: netasync.Sliding(1), Backoff: quick})
	events := c.ReadChan()
	for range outages {
		conn := rawAccept(t, ln)
		write(t, conn, frames(numbered(50)...))
		require.NoError(t, conn.Close())
	}
	rawAccept(t, ln)
	eventually(t, func() bool { return c.Stats().Epoch == outages+1 }, "all connections")
	require.NoError(t, c.Close())
	ended(t, c.Done())

	var kinds []netasync.EventKind
	messages := 0
	for ev := range events {
		if ev.Kind == netasync.Message {
			messages++
			continue
		}
		kinds = append(kinds, ev.Kind)
	}
	want := []netasync.EventKind{}
	for range outages {
		want = append(want, netasync.Connected, netasync.Disconnected)
	}
	require.Equal(t, append(want, netasync.Connected, netasync.Closed), kinds)
	require.LessOrEqual(t, messages, 2)
	require.EqualValues(t, 50*outages-messages, c.Stats().Dropped)
}

// A full Fixed buffer holds back the peer and loses nothing; the neighbour does not notice.
func TestFixedInboundHoldsBackThePeer(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{ReadBuffer: netasync.Fixed(4)})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{WriteBuffer: netasync.Fixed(4)})
	slow := take(t, ln.AcceptChan())
	expect(t, c, netasync.Connected)
	neighbour := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	go echoSession(take(t, ln.AcceptChan()))
	expect(t, neighbour, netasync.Connected)

	const n, size = 1000, 64 << 10 // more than the sockets hold
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := c.Send(context.Background(), []byte(strings.Repeat(string(rune('a'+i%26)), size))); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	eventually(t, func() bool { return e.Stats().Left > 0 }, "the slow one left its loop")
	for _, text := range numbered(100) {
		send(t, neighbour, text)
		expectMessages(t, neighbour, text)
	}
	require.Empty(t, sent, "the peer is held back")
	require.LessOrEqual(t, slow.Stats().Unread, 4)

	expect(t, slow, netasync.Connected)
	for i := range n {
		expectMessages(t, slow, strings.Repeat(string(rune('a'+i%26)), size))
	}
	require.NoError(t, take(t, sent))
}
