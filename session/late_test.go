package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// handHost leaves the ticks to the test: it may be as late with them as it likes.
type handHost struct{ fakeHost }

func (handHost) Tick(*Conn, time.Time) Ticker { return noTicker{} }

type noTicker struct{}

func (noTicker) Stop()            {}
func (noTicker) Sooner(time.Time) {}

// suspended returns a session with a period of 1 s and a timeout of 4 s that has stood still for a
// minute, and has ticked once since.
func suspended(t *testing.T) (*Session, *Conn, *fakeLink) {
	t.Helper()
	s, _ := newFake(t, true, func(c *Config) { c.Host = handHost{} })
	s.dialing()
	link := newFakeLink(unbounded)
	c := s.attach(link, 0)
	for range 3 {
		time.Sleep(time.Second)
		require.Equal(t, time.Second, time.Until(c.Tick()))
		_, _, err := c.Feed(testkit.Frames(""), false)
		require.NoError(t, err)
	}
	sent := len(link.written())
	time.Sleep(time.Minute)
	require.Equal(t, time.Second, time.Until(c.Tick()))
	require.Equal(t, StateConnected, s.State())
	require.Greater(t, len(link.written()), sent, "the peer hears of us at once")
	return s, c, link
}

// Both ends of a connection were suspended: a peer that is heard within one period of waking lives.
func TestSuspendedPeerLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c, _ := suspended(t)
		time.Sleep(999 * time.Millisecond)
		_, _, err := c.Feed(testkit.Frames(""), false)
		require.NoError(t, err)
		for range 3 {
			time.Sleep(time.Second)
			c.Tick()
			require.Equal(t, StateConnected, s.State())
		}
		time.Sleep(time.Minute) // once more
		c.Tick()
		require.Equal(t, StateConnected, s.State())
		s.CloseNow(errCut)
	})
}

// A peer that is gone is found one period after waking.
func TestSuspendedPeerThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c, _ := suspended(t)
		time.Sleep(time.Second)
		require.True(t, c.Tick().IsZero())
		require.Equal(t, StateDisconnected, s.State())
		require.ErrorIs(t, s.Stats().LastError, ErrHeartbeatTimeout)
		s.CloseNow(errCut)
	})
}

// A process that is late with every tick finds its dead peers nevertheless.
func TestLateAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c, _ := suspended(t)
		time.Sleep(time.Minute)
		require.True(t, c.Tick().IsZero())
		require.Equal(t, StateDisconnected, s.State())
		s.CloseNow(errCut)
	})
}

// A tick that is late by no more than a period has nothing to forgive.
func TestLateByAPeriod(t *testing.T) {
	for late, want := range map[time.Duration]State{
		time.Second:     StateDisconnected,
		time.Second + 1: StateConnected,
	} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := newFake(t, true, func(c *Config) { c.Host = handHost{} })
			s.dialing()
			c := s.attach(newFakeLink(unbounded), 0)
			for range 3 {
				time.Sleep(time.Second)
				c.Tick()
			}
			time.Sleep(time.Second + late)
			c.Tick()
			require.Equal(t, want, s.State(), "late by %v", late)
			s.CloseNow(errCut)
		})
	}
}
