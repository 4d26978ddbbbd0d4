package session

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// flushes calls Flush, and returns its answer.
func (k *talk) flushes(ctx context.Context) chan error {
	done := make(chan error, 1)
	go func() { done <- k.s.Flush(ctx) }()
	synctest.Wait()
	return done
}

// Flush waits until the peer has all that was accepted before, and asks for that.
func TestFlushAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, nil)
		require.NoError(t, k.s.Flush(t.Context()), "nothing was sent")
		require.Empty(t, k.hears())
		k.sends("1", "2")
		first := k.flushes(t.Context())
		require.Equal(t, []string{"1", "2", "Q"}, k.hears())
		k.sends("3")
		second := k.flushes(t.Context())
		require.Equal(t, []string{"3", "Q"}, k.hears())
		require.NoError(t, k.says(ackOf(1)))
		synctest.Wait()
		require.Empty(t, first)
		require.NoError(t, k.says(ackOf(2)))
		require.NoError(t, <-first)
		require.Empty(t, second)
		require.NoError(t, k.says(ackOf(3)))
		require.NoError(t, <-second)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		k.sends("4")
		require.ErrorIs(t, <-k.flushes(short), context.DeadlineExceeded)
		k.end()
	})
}

// Between two sessions that takes no time but that of the way, also with a window that is full.
func TestFlushIsPrompt(t *testing.T) {
	for _, unacked := range []int{1, 3, 16384} {
		synctest.Test(t, func(t *testing.T) {
			w, near, far := pair(t, func(c *Config) { c.Unacked.Cap = unacked }, nil)
			began := time.Now()
			for n := range 10 {
				require.NoError(t, near.Send(t.Context(), sized(n, 100)))
				if n%3 == 0 {
					require.NoError(t, near.Flush(t.Context()))
				}
			}
			require.NoError(t, near.Flush(t.Context()))
			require.Zero(t, time.Since(began))
			require.EqualValues(t, 10, far.Stats().Received)
			w.close(far)
		})
	}
}

// A Flush goes on over a cut, and asks again.
func TestFlushOverACut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, nil)
		k.sends("1", "2")
		done := k.flushes(t.Context())
		k.hears()
		k.cut()
		synctest.Wait()
		require.Empty(t, done)
		k.connect(true, 1)
		require.Equal(t, []string{"2", "Q"}, k.hears())
		k.cut()
		k.connect(true, 2) // the handshake says that all has come
		require.NoError(t, <-done)
		k.end()
	})
}

// With a window that is full the question comes behind the last message.
func TestFlushWithAFullWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, func(c *Config) { c.Unacked = Buffer{Cap: 2} })
		k.sends("1", "2", "3")
		done := k.flushes(t.Context())
		require.Equal(t, []string{"1", "2"}, k.hears())
		require.NoError(t, k.says(ackOf(1)))
		require.Equal(t, []string{"3", "Q"}, k.hears())
		require.NoError(t, k.says(ackOf(3)))
		require.NoError(t, <-done)
		k.end()
	})
}

// A session that closes, and may have lost what is waited for, says so.
func TestFlushOfASessionThatCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, nil)
		k.sends("1")
		done := k.flushes(t.Context())
		k.hears()
		k.s.CloseNow(errCut)
		err := <-done
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, err, errCut)
		ev := k.closed()
		require.EqualValues(t, 1, ev.Lost)
		require.ErrorIs(t, k.s.Flush(t.Context()), ErrClosed)
	})
}

// With WhileDown: Refuse a Flush that waits for what the session keeps goes on; one that waits for what
// is handed back does not.
func TestFlushOfWhatIsHandedBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, func(c *Config) { c.WhileDown, c.Unacked = Refuse, Buffer{Cap: 2} })
		k.sends("1", "2")
		kept := k.flushes(t.Context())
		k.sends("3")
		back := k.flushes(t.Context())
		k.cut()
		require.ErrorIs(t, <-back, ErrNotConnected)
		require.Empty(t, kept)
		k.connect(true, 2)
		require.NoError(t, <-kept)
		k.end()
	})
}

// Where the peer has started anew, what was flushed may be lost, and Flush says so; unless it is sent
// again.
func TestFlushOfWhatIsLost(t *testing.T) {
	for _, resend := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			k := connected(t, true, func(c *Config) { c.ResendLost = resend })
			k.sends("1")
			done := k.flushes(t.Context())
			k.hears()
			k.cut()
			k.connect(false, 0)
			synctest.Wait()
			if resend {
				require.Empty(t, done)
				require.NoError(t, k.says(ackOf(1)))
				require.NoError(t, <-done)
			} else {
				require.ErrorIs(t, <-done, ErrResumeExpired)
			}
			k.end()
		})
	}
}
