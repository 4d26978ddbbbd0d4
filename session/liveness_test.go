package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// While we hold back, the acknowledgements of the peer's host prove life, and their absence ends
// the connection: a peer that vanished is found.
func TestVanishedPeerIsFoundWhileWeHoldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer := newFake(t, true, func(c *Config) { c.ReadBuffer = Fixed(1) })
		s.dialing()
		link := newFakeLink(unbounded)
		conn := s.attach(link, 0)
		go func() {
			rest, _, _ := conn.Feed(testkit.Frames("a", "b", "c"), false)
			require.NotEmpty(t, rest)
			conn.Wait() // nobody consumes
		}()
		link.beat(Pulse{Data: time.Hour, Ack: 500 * time.Millisecond, Unread: true, Unanswered: true})
		time.Sleep(time.Minute)
		require.Equal(t, StateConnected, s.State(), "its host acknowledges")
		beats := len(link.written()) / len(testkit.Frames(""))
		require.InDelta(t, 60, beats, 1, "our heartbeats go on")
		link.beat(Pulse{Data: time.Hour, Ack: time.Hour, Unread: true})
		time.Sleep(time.Minute)
		require.Equal(t, StateConnected, s.State(), "its host owes us nothing")
		link.beat(Pulse{Data: time.Hour, Ack: 4 * time.Second, Unread: true, Unanswered: true})
		time.Sleep(1100 * time.Millisecond)
		require.Equal(t, StateDisconnected, s.State())
		<-dialer.redials
		for _, want := range []EventKind{Connected, Message} {
			require.Equal(t, want, recv(t, s).Kind)
		}
		require.ErrorIs(t, recv(t, s).Err, ErrHeartbeatTimeout)
		s.CloseNow(errCut)
	})
}

// Bytes that wait unread in the socket prove life, even if an event loop is too busy to read them;
// acknowledgements alone do not: a peer whose program hangs is stuck.
func TestLivenessIsJudgedByWhatArrived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		s.dialing()
		link := newFakeLink(unbounded)
		s.attach(link, 0)
		link.beat(Pulse{Data: time.Second, Unread: true})
		time.Sleep(time.Minute)
		require.Equal(t, StateConnected, s.State())
		link.beat(Pulse{Data: time.Minute, Ack: 0})
		time.Sleep(5 * time.Second)
		require.Equal(t, StateDisconnected, s.State())
		s.CloseNow(errCut)
	})
}

// Each sign of life is enough by itself.
func TestEachSignOfLifeCountsAlone(t *testing.T) {
	for name, c := range map[string]struct {
		pulse   Pulse
		holding bool
	}{
		"bytes arrived, nothing is acknowledged": {Pulse{Data: time.Second, Ack: time.Hour, Unread: true, Unanswered: true}, false},
		"bytes wait, and nothing is owed":        {Pulse{Data: time.Hour, Ack: time.Hour, Unread: true}, false},
		"held back, and acknowledged":            {Pulse{Data: time.Hour, Ack: time.Second, Unanswered: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newFake(t, true, func(c *Config) { c.ReadBuffer = Fixed(1) })
				s.dialing()
				link := newFakeLink(unbounded)
				conn := s.attach(link, 0)
				if c.holding {
					go func() { _, _, _ = conn.Feed(testkit.Frames("a", "b"), false); conn.Wait() }()
				}
				link.beat(c.pulse)
				time.Sleep(time.Minute)
				require.Equal(t, StateConnected, s.State())
				s.CloseNow(errCut)
			})
		})
	}
}

// Liveness does not depend on our own writes: a peer that reads nothing but sends heartbeats is
// slow, not dead.
func TestPeerThatReadsNothingButSendsIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		s.dialing()
		link := newFakeLink(0)
		conn := s.attach(link, 0)
		require.NoError(t, s.Send(t.Context(), []byte("stuck")))
		for range 60 {
			time.Sleep(time.Second)
			_, _, err := conn.Feed(testkit.Frames(""), false)
			require.NoError(t, err)
		}
		require.Equal(t, StateConnected, s.State())
		link.allow(unbounded)
		synctest.Wait()
		require.Equal(t, testkit.Frames("stuck"), link.written()[:9])
		s.CloseNow(errCut)
	})
}

// A connection was held back when it broke: the next one is not, and is found dead when it is
// silent.
func TestHoldingEndsWithItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer := newFake(t, true, func(c *Config) { c.ReadBuffer = Fixed(1) })
		s.dialing()
		old := s.attach(newFakeLink(unbounded), 0)
		go func() {
			_, _, _ = old.Feed(testkit.Frames("a", "b"), false)
			old.Wait()
		}()
		synctest.Wait()
		old.End(errCut)
		synctest.Wait()
		<-dialer.redials
		s.dialing()
		s.attach(newFakeLink(unbounded), 0) // silent, and no pulse
		time.Sleep(5 * time.Second)
		require.Equal(t, StateDisconnected, s.State())
		s.CloseNow(errCut)
	})
}

// Callbacks that are busy most of the time hold the right to write, and have nothing to write.
func TestHeartbeatsBesideBusyInlineCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) {
			c.Inline = true
			c.OnEvent = func(*Session, Event) { time.Sleep(700 * time.Microsecond) }
		})
		link := newFakeLink(unbounded)
		conn := s.attach(link, 0)
		conn.Start(true)
		for start := time.Now(); time.Since(start) < 30*s.cfg.HeartbeatPeriod; {
			_, _, err := conn.Feed(testkit.Frames("message"), true)
			require.NoError(t, err)
			time.Sleep(300 * time.Microsecond)
		}
		require.InDelta(t, 30, len(link.written())/len(testkit.Frames("")), 2, "heartbeats in 30 periods")
		s.CloseNow(errCut)
		time.Sleep(2 * s.cfg.HeartbeatPeriod)
	})
}

// Tick's look at a connection that is lost meanwhile takes nothing from it.
func TestHeartbeatOfALostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		s.dialing()
		conn := s.attach(newFakeLink(unbounded), 0)
		conn.End(errCut)
		s.heartbeat(conn)
		require.False(t, s.writing)
		require.NoError(t, s.Close())
		require.Equal(t, StateClosed, s.State())
	})
}
