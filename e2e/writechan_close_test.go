package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// The user closes WriteChan while WriteBuffer is full: that means Close, as ever. Linger bounds what
// comes then, and Closed tells of every message.
func TestCloseOfWriteChanWhileFull(t *testing.T) {
	const linger = 300 * time.Millisecond
	endsWith := func(t *testing.T, s *netasync.Session, sent int) {
		t.Helper()
		close(s.WriteChan())
		_, closed := untilClosed(t, s)
		require.ErrorIs(t, closed.Err, netasync.ErrLinger)
		require.Equal(t, sent, int(s.Stats().Sent)+closed.Queued)
		require.Zero(t, s.Stats().Discarded)
	}
	t.Run("no server", func(t *testing.T) {
		for _, n := range []int{129, 150, 128 + 1 + 64} { // the buffer, the pump's hand, the channel
			c := connect(t, newEngine(t), testkit.DeadAddr(t), netasync.ConnectOptions{Backoff: quick, Linger: linger})
			for range n {
				testkit.Put(t, c.WriteChan(), []byte("m"))
			}
			testkit.Eventually(t, func() bool { return c.Stats().Queued == 128 }, "the buffer is full")
			endsWith(t, c, n)
		}
	})
	t.Run("a peer that reads nothing", func(t *testing.T) {
		ln := testkit.Listen(t)
		c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Linger: linger})
		testkit.Accept(t, ln)
		sent := 0
		for full := false; !full; {
			select {
			case c.WriteChan() <- make([]byte, 64<<10):
				sent++
			case <-time.After(time.Second):
				full = true
			}
		}
		endsWith(t, c, sent)
	})
}
