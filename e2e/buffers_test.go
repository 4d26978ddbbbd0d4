package e2e_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// What a buffer keeps, by its policy.

// down returns a session that is disconnected and stays so until RetryNow, and
// the address that it wants to be connected to.
func down(t *testing.T, buffer netasync.Buffer) (c *netasync.Session, listen func() (peer io.Reader)) {
	t.Helper()
	addr := testkit.DeadAddr(t)
	c = connect(t, newEngine(t), addr, netasync.ConnectOptions{
		WriteBuffer: buffer, Backoff: netasync.FixedDelay(time.Hour), Linger: brief,
	})
	expect(t, c, netasync.Disconnected)
	return c, func() io.Reader {
		ln := testkit.ListenAt(t, addr.String())
		c.RetryNow()
		expect(t, c, netasync.Connected)
		return testkit.Accept(t, ln)
	}
}

// Outbound, while there is no connection, each policy keeps exactly as many messages as its buffer
// has room for.
func TestOutboundBuffers(t *testing.T) {
	texts := testkit.Texts(10)
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

// A message larger than the buffer's bytes fits while the buffer is empty, and then nothing else
// does.
func TestMessageLargerThanBuffer(t *testing.T) {
	c, listen := down(t, netasync.Buffer{Bytes: 10})
	large := strings.Repeat("x", 1000)
	require.NoError(t, c.TrySend([]byte(large)))
	require.ErrorIs(t, c.TrySend([]byte("y")), netasync.ErrQueueFull)
	expectFrames(t, listen(), large)
}

// Inbound, a lossy policy keeps as many messages as its buffer has room for, in order, and every
// lifecycle event.
func TestInboundBuffers(t *testing.T) {
	texts := testkit.Texts(100)
	for name, want := range map[string]struct {
		buffer netasync.Buffer
		kept   []string
	}{
		"Dropping": {netasync.Dropping(10), texts[:10]},
		"Sliding":  {netasync.Sliding(10), texts[90:]},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t)
			ln := listen(t, e, netasync.ListenOptions{ReadBuffer: want.buffer, NoGreeting: true})
			conn := testkit.Dial(t, ln.Addr())
			s := testkit.Take(t, ln.AcceptChan())
			testkit.Write(t, conn, testkit.Frames(texts...))
			require.NoError(t, conn.Close())
			testkit.Ended(t, s.Done())
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

// The read channel may have one event more in its hand, but loses no lifecycle event either,
// connection after connection.
func TestSlidingReadChanKeepsLifecycle(t *testing.T) {
	const outages = 10
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{ReadBuffer: netasync.Sliding(1), Backoff: quick})
	events := c.ReadChan()
	for range outages {
		conn := testkit.Accept(t, ln)
		testkit.Write(t, conn, testkit.Frames(testkit.Texts(50)...))
		require.NoError(t, conn.Close())
	}
	testkit.Accept(t, ln)
	testkit.Eventually(t, func() bool { return c.Stats().Epoch == outages+1 }, "all connections")
	require.NoError(t, c.Close())
	testkit.Ended(t, c.Done())

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
