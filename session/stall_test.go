package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// stalling returns when a session with a WriteTimeout of 2 s ends, or how long it was watched; its
// peer sends a heartbeat every 100 ms, and so it is looked at as often.
func stalling(t *testing.T, room int, during func(s *Session, link *fakeLink)) (ended time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.WriteTimeout = 2 * time.Second })
		link := newFakeLink(room)
		c := s.attach(link, 0)
		start := time.Now()
		go func() {
			for {
				select {
				case <-s.Done():
					ended = time.Since(start)
					return
				case <-time.After(100 * time.Millisecond):
					_, _, _ = c.Feed(testkit.Frames(""), false)
				}
			}
		}()
		during(s, link)
		time.Sleep(time.Minute - time.Since(start))
		if s.State() == StateClosed {
			require.Equal(t, Connected, recv(t, s).Kind)
			require.ErrorIs(t, recv(t, s).Err, ErrWriteTimeout)
			return
		}
		s.CloseNow(errCut)
		synctest.Wait()
		ended = time.Minute
	})
	return ended
}

// The looks come as often as WriteTimeout needs them, from the beginning, be HeartbeatPeriod ever so
// long.
func TestWriteTimeoutShorterThanThePeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) {
			c.HeartbeatPeriod, c.HeartbeatTimeout, c.WriteTimeout = time.Hour, 4*time.Hour, 2*time.Second
		})
		s.attach(newFakeLink(0), 0)
		start := time.Now()
		require.NoError(t, s.Send(t.Context(), []byte("m")))
		<-s.Done()
		require.Equal(t, 2500*time.Millisecond, time.Since(start))
	})
}

// A peer that takes nothing is ended, to the instant; one that takes a little lives.
func TestWriteTimeout(t *testing.T) {
	for name, c := range map[string]struct {
		room   int
		during func(*Session, *fakeLink)
		want   time.Duration
	}{
		"nothing waits": {unbounded, func(*Session, *fakeLink) {}, time.Minute},
		"all is taken": {unbounded, func(s *Session, _ *fakeLink) {
			_ = s.Send(t.Context(), []byte("m"))
		}, time.Minute},
		"the link takes nothing": {0, func(s *Session, _ *fakeLink) {
			time.Sleep(50 * time.Millisecond)
			_ = s.Send(t.Context(), []byte("m"))
		}, 2100 * time.Millisecond},
		"nothing is acknowledged, though heartbeats are taken": {unbounded, func(_ *Session, link *fakeLink) {
			link.hold(Backlog{Bytes: 9, Acked: 0})
		}, 2100 * time.Millisecond},
		"the last acknowledgement is after 10 s": {unbounded, func(_ *Session, link *fakeLink) {
			time.Sleep(50 * time.Millisecond) // between two looks
			for n := range uint64(11) {
				link.hold(Backlog{Bytes: 9, Acked: n})
				time.Sleep(time.Second)
			}
		}, 12100 * time.Millisecond},
		"a byte a second is acknowledged": {unbounded, func(_ *Session, link *fakeLink) {
			time.Sleep(50 * time.Millisecond) // between two looks
			for n := range uint64(60) {
				link.hold(Backlog{Bytes: 9, Acked: n})
				time.Sleep(time.Second)
			}
		}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, stalling(t, c.room, c.during))
		})
	}
}
