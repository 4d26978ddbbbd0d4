package session

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// What happens under the session's lock when a connection is lost or a write is cut short costs
// nothing in proportion to what is queued: no message is copied.

// allocated returns how many bytes were allocated while f ran.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

const muchQueued = 64 << 20

// queueMuch queues muchQueued bytes, half of them in small messages.
func queueMuch(t *testing.T, s *Session) {
	t.Helper()
	small, large := make([]byte, copyLimit), make([]byte, muchQueued/64)
	for range 32 {
		for range len(large) / len(small) {
			require.NoError(t, s.TrySend(small))
		}
		require.NoError(t, s.TrySend(large))
	}
}

func TestLossOfAConnectionCopiesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		dialed bool
		room   int // of the link
		policy Policy
	}{
		"a session that goes on":                   {true, 100, PolicyFixed},
		"with much written":                        {true, muchQueued / 2, PolicyFixed},
		"one that ends":                            {false, 100, PolicyFixed},
		"one that drops what is over, the oldest":  {true, 100, PolicySliding},
		"one that drops what is over, the newest":  {true, 100, PolicyDropping},
		"one of which nothing was written":         {true, 0, PolicyFixed},
		"one that drops the oldest, none was sent": {true, 0, PolicySliding},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newFake(t, c.dialed, func(cfg *Config) {
					cfg.WriteBuffer = Buffer{Cap: 1 << 20, Bytes: 2 * muchQueued, Policy: c.policy}
					if c.policy != PolicyFixed {
						cfg.WriteBuffer.Bytes = muchQueued
					}
				})
				if c.dialed {
					s.dialing()
				}
				link := newFakeLink(c.room)
				conn := s.attach(link, 0)
				queueMuch(t, s)
				synctest.Wait()
				if c.policy != PolicyFixed {
					queueMuch(t, s) // beside what is being written
				}
				synctest.Wait()
				require.Less(t, allocated(func() {
					conn.End(errCut)
					synctest.Wait()
				}), uint64(1<<20))
				if c.policy != PolicyFixed {
					require.NotZero(t, s.Stats().Dropped)
				}
				s.CloseNow(errCut)
			})
		})
	}
}

// The answers of a turn whose write the peer does not take are the callbacks' own. Only what was
// lent for the turn is copied.
func TestTurnThatIsNotWrittenCopiesOnlyWhatWasLent(t *testing.T) {
	const requests = 1000
	answer := make([]byte, muchQueued/requests)
	echoed := strings.Repeat("x", 2*copyLimit)
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) {
			c.Inline, c.WriteBuffer = true, Buffer{Cap: 1 << 20, Bytes: 2 * muchQueued}
			c.OnEvent = func(s *Session, ev Event) {
				switch {
				case ev.Kind == Message && len(ev.Payload) > 1:
					_ = s.Send(context.Background(), ev.Payload)
				case ev.Kind == Message:
					_ = s.Send(context.Background(), answer)
				}
			}
		})
		link := newFakeLink(0)
		conn := s.attach(link, 0)
		conn.Start(true)
		first := testkit.Frames(echoed)
		p := append(testkit.Frames(strings.Split(strings.Repeat("r ", requests-1)+"r", " ")...), testkit.Frames(echoed)...)
		p = append(p, first[:1000]...) // one that comes by two reads, beside one that does not
		require.Less(t, allocated(func() {
			_, _, err := conn.Feed(p, true)
			require.NoError(t, err)
		}), uint64(1<<20))
		rest := first[1000:]
		_, _, err := conn.Feed(rest, true)
		require.NoError(t, err)
		clear(p)
		clear(rest)
		link.allow(unbounded)
		synctest.Wait()
		require.Equal(t, 2, strings.Count(string(link.written()), echoed))
		s.CloseNow(errCut)
	})
}
