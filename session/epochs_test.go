package session

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// A connection was held back when it broke: the next one is not, and is found dead when it is silent.
func TestHoldingEndsWithItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer := newFake(t, true, func(c *Config) { c.ReadBuffer = Fixed(1) })
		s.dialing()
		old := s.attach(newFakeLink(unbounded))
		go func() {
			_, _, _ = old.Feed(testkit.Frames("a", "b"), false)
			old.Wait()
		}()
		synctest.Wait()
		old.End(errCut)
		synctest.Wait()
		<-dialer.redials
		s.dialing()
		s.attach(newFakeLink(unbounded)) // silent, and no pulse
		time.Sleep(5 * time.Second)
		require.Equal(t, StateDisconnected, s.State())
		s.CloseNow(errCut)
	})
}

// While the callback of Connected blocks the goroutine that reads, the peer's silence is ours.
func TestInlineConnectedMayBlockOffTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entered := false
		s, _ := newFake(t, false, func(c *Config) {
			c.Inline, c.OnEvent = true, func(_ *Session, ev Event) {
				if ev.Kind == Connected {
					entered = true
					time.Sleep(2 * c.HeartbeatTimeout)
				}
			}
		})
		s.attach(newFakeLink(unbounded)).Start(false) // no pulse
		require.True(t, entered)
		require.Equal(t, StateConnected, s.State())
		time.Sleep(s.cfg.HeartbeatTimeout * 3 / 2)
		require.Equal(t, StateClosed, s.State(), "silence after the callback counts")
	})
}

// A broken connection is read past the bounds, to find its end: the next one is not.
func TestDrainingEndsWithItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer := newFake(t, true, func(c *Config) { c.ReadBuffer = Fixed(2) })
		s.dialing()
		broken := newFakeLink(0)
		old := s.attach(broken)
		require.NoError(t, s.Send(t.Context(), []byte("x")))
		synctest.Wait()
		broken.Close()
		synctest.Wait()
		old.End(errCut)
		<-dialer.redials
		s.dialing()
		now := s.attach(newFakeLink(unbounded))
		rest, _, err := now.Feed(testkit.Frames("a", "b", "c"), false)
		require.NoError(t, err)
		require.Equal(t, testkit.Frames("c"), rest)
		s.CloseNow(errCut)
	})
}

// stubborn is a link whose Close does not free a blocked Write at once.
type stubborn struct {
	*fakeLink
	release chan struct{}
}

func (l *stubborn) Write([][]byte, bool) (int, error) { <-l.release; return 0, errCut }

// What remains to be sent is known when the writer has returned, and not before.
func TestEndsWaitForTheWriter(t *testing.T) {
	for name, end := range map[string]func(*Session){"Close": func(s *Session) { _ = s.Close() }, "Abort": func(s *Session) { s.CloseNow(errCut) }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newFake(t, false, nil)
				link := &stubborn{newFakeLink(0), make(chan struct{})}
				r := s.attach(link)
				go func() { _ = s.Send(context.Background(), []byte("x")) }()
				synctest.Wait()
				r.End(errCut)
				end(s)
				synctest.Wait()
				require.NotEqual(t, StateClosed, s.State(), "what remains is not known yet")
				close(link.release)
				synctest.Wait()
				require.Equal(t, StateClosed, s.State())
				recv(t, s)
				require.Equal(t, 1, recv(t, s).Queued)
			})
		})
	}
}

// countingHost counts what it dispatches.
type countingHost struct {
	fakeHost
	dispatched int
}

func (h *countingHost) Dispatch(d Driver) { h.dispatched++; h.fakeHost.Dispatch(d) }

// With Inline, the callback of Connected runs where those of its messages will run.
func TestInlineConnectedRunsInStart(t *testing.T) {
	h := &countingHost{}
	var kinds []EventKind
	s, _ := newFake(t, false, func(c *Config) {
		c.Host, c.Inline = h, true
		c.HeartbeatPeriod, c.HeartbeatTimeout = time.Hour, 4*time.Hour
		c.OnEvent = func(_ *Session, ev Event) { kinds = append(kinds, ev.Kind) }
	})
	r := s.attach(newSink())
	require.Zero(t, h.dispatched)
	r.Start(true)
	require.Equal(t, []EventKind{Connected}, kinds)
	s.CloseNow(errCut)
	<-s.Done()
}

// stoppable counts what it is told.
type stoppable struct {
	fakeDialer
	stopped, kicked int
}

func (d *stoppable) Stop() { d.stopped++ }
func (d *stoppable) Kick() { d.kicked++ }

// A session that has closed dials no more, and RetryNow does nothing while an attempt is under way.
func TestCloseStopsDialing(t *testing.T) {
	d := &stoppable{fakeDialer: fakeDialer{make(chan bool, 10)}}
	s, _ := newFake(t, false, nil)
	Drive(s).Dial(d)
	s.RetryNow()
	require.Zero(t, d.kicked)
	require.NoError(t, s.Close())
	require.Equal(t, 1, d.stopped)
}

// What one connection has proved says nothing of the next.
func TestEachConnectionProvesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer := newFake(t, true, nil)
		s.dialing()
		r := s.attach(newFakeLink(unbounded))
		_, _, _ = r.Feed(testkit.Frames("proof"), false)
		r.End(errCut)
		require.True(t, <-dialer.redials)
		s.dialing()
		s.attach(newFakeLink(unbounded)).End(errCut)
		require.False(t, <-dialer.redials)
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
				r := s.attach(link)
				if c.holding {
					go func() { _, _, _ = r.Feed(testkit.Frames("a", "b"), false); r.Wait() }()
				}
				link.beat(c.pulse)
				time.Sleep(time.Minute)
				require.Equal(t, StateConnected, s.State())
				s.CloseNow(errCut)
			})
		})
	}
}

// A callback that ends the session is still running when Closed is due: that waits, and the two never run at once.
func TestInlineCallbacksOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var kinds []EventKind // without a lock: the race detector looks, too
		s, _ := newFake(t, false, func(c *Config) {
			c.Inline = true
			c.OnEvent = func(_ *Session, ev Event) {
				if ev.Kind == Message {
					<-release
				}
				kinds = append(kinds, ev.Kind)
			}
		})
		r := s.attach(newFakeLink(unbounded))
		r.Start(true)
		go func() { _, _, _ = r.Feed(testkit.Frames("message"), true) }()
		synctest.Wait()
		s.CloseNow(errCut)
		synctest.Wait()
		require.Equal(t, []EventKind{Connected}, kinds)
		close(release)
		synctest.Wait()
		require.Equal(t, []EventKind{Connected, Message, Closed}, kinds)
	})
}

// However many connections break while nobody reads, what they bring past the bounds is bounded.
func TestDrainingIsBoundedOverConnections(t *testing.T) {
	s, dialer := newFake(t, true, func(c *Config) { c.ReadBuffer = Fixed(4) })
	mib := testkit.Frames(strings.Repeat("x", 1<<20))
	for range 10 {
		require.True(t, s.dialing())
		link := newFakeLink(unbounded)
		r := s.attach(link)
		link.Close()
		require.NoError(t, s.TrySend([]byte("x")))
		testkit.Eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return r.writeErr != nil }, "the end of writing")
		for range 10 {
			if rest, _, err := r.Feed(mib, false); len(rest) > 0 || err != nil {
				break
			}
		}
		r.End(errCut)
		<-dialer.redials
	}
	require.Less(t, s.in.bytes, DefaultReadBytes+drainBytes+2<<20)
	s.CloseNow(nil)
}
