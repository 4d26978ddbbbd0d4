package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/chanclosed"
	"github.com/netasync/netasync/internal/testkit"
)

// fill sends to the write channel until it takes no more, and returns how many it took.
func fill(s *Session) (taken int) {
	for w := s.WriteChan(); ; taken++ {
		synctest.Wait()
		select {
		case w <- []byte("m"):
		default:
			return taken
		}
	}
}

// The user closes the write channel while the write buffer is full, and the channel holds more or
// less: the session ends, and counts what was not sent.
func TestCloseOfWriteChanWhileFull(t *testing.T) {
	for name, connected := range map[string]bool{"no connection": false, "a peer that reads nothing": true} {
		for _, behind := range []int{0, 1, 3, 8} { // in the channel; one more is in the pump's hand
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, _ := newFake(t, true, func(c *Config) {
						c.WriteBuffer, c.HeartbeatTimeout = Fixed(8), time.Hour
					})
					if connected {
						s.dialing()
						s.attach(newFakeLink(0), 0)
					}
					w := s.WriteChan()
					for range 8 + 1 + behind {
						w <- []byte("m")
						synctest.Wait()
					}
					time.Sleep(10 * time.Second) // the pauses between the looks have grown
					start := time.Now()
					close(w)
					<-s.Done()
					require.LessOrEqual(t, time.Since(start), s.cfg.Linger+lastLook)
					ev := last(t, s)
					require.ErrorIs(t, ev.Err, ErrLinger)
					require.Equal(t, 8+1+behind, ev.Queued)
					require.Zero(t, s.Stats().Discarded)
				})
			})
		}
	}
}

// What the channel held is flushed, in order, when there is a connection within Linger.
func TestCloseOfWriteChanWhileFullFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, func(c *Config) { c.WriteBuffer = Fixed(2) })
		w := s.WriteChan()
		texts := []string{"1", "2", "3", "4", "5"}
		for _, text := range texts {
			w <- []byte(text)
			synctest.Wait()
		}
		close(w)
		time.Sleep(s.cfg.Linger / 2)
		s.dialing()
		link := newFakeLink(unbounded)
		s.attach(link, 0)
		<-s.Done()
		require.Equal(t, string(testkit.Frames(texts...)), string(link.written()))
		require.Equal(t, Event{Kind: Closed, Epoch: 1}, last(t, s))
	})
}

// A wrong hint ends no session. What the channel holds passes the bound once, and no hint is
// believed from then on.
func TestWrongHintEndsNothing(t *testing.T) {
	closed := make(chan []byte)
	close(closed)
	t.Cleanup(func() { chanclosed.Distrust()() }) // hints are believed again
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, func(c *Config) { c.WriteBuffer = Fixed(8) })
		w := s.WriteChan()
		s.w.hint = chanclosed.Of(closed)
		require.True(t, s.w.hint.Closed())
		taken := fill(s)
		require.LessOrEqual(t, taken, 8+8+1+8+1+8)
		time.Sleep(time.Minute)
		require.Equal(t, taken, taken+fill(s), "it takes no more")
		require.False(t, s.w.hint.Known())
		require.NotEqual(t, StateClosed, s.State())
		s.CloseNow(errCut)
		synctest.Wait()
		require.Equal(t, taken, last(t, s).Queued)
		close(w)
	})
}

// Without a hint the close is noticed when there is room.
func TestCloseOfWriteChanWithoutAHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, func(c *Config) { c.WriteBuffer = Fixed(8) })
		w := s.WriteChan()
		s.w.hint = chanclosed.Hint{}
		taken := fill(s)
		close(w)
		time.Sleep(time.Hour)
		require.NotEqual(t, StateClosed, s.State())
		s.dialing()
		link := newFakeLink(unbounded)
		s.attach(link, 0)
		<-s.Done()
		require.Len(t, link.written(), taken*len(testkit.Frames("m")))
	})
}
