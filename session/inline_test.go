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

// Small requests with large answers, of which one read holds thousands: the peer does not decide
// how much memory they take.
func TestInlineAnswersAreBounded(t *testing.T) {
	const requests, answer = 1000, 20_000
	answered := 0
	s, _ := newFake(t, false, func(c *Config) {
		c.Inline = true
		c.OnEvent = func(s *Session, ev Event) {
			if ev.Kind == Message {
				answered++
				_ = s.Send(context.Background(), make([]byte, answer))
			}
		}
	})
	link := newFakeLink(0)
	conn := s.attach(link, 0)
	conn.Start(true)
	rest, leave, err := conn.Feed(testkit.Frames(strings.Split(strings.Repeat("x ", requests-1)+"x", " ")...), true)
	require.NoError(t, err)
	require.True(t, leave)
	s.mu.Lock()
	require.Less(t, s.out.bytes, DefaultWriteBytes+answer)
	s.mu.Unlock()

	link.allow(unbounded) // off the loop, with the rest, nothing is lost
	for len(rest) > 0 {
		rest, _, err = conn.Feed(rest, false)
		require.NoError(t, err)
	}
	require.Equal(t, requests, answered)
	s.CloseNow(errCut)
}

// An inline echo whose write fails keeps its messages for the next connection, not the memory of a
// read buffer that gnet uses for others by then.
func TestInlineEchoDoesNotBorrowPastABrokenLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, func(c *Config) {
			c.Inline = true
			c.OnEvent = func(s *Session, ev Event) {
				if ev.Kind == Message {
					_ = s.Send(context.Background(), ev.Payload)
				}
			}
		})
		s.dialing()
		broken := newFakeLink(unbounded)
		conn := s.attach(broken, 0)
		conn.Start(true)
		broken.Close() // its loop does not know yet
		buf := testkit.Frames("my-secret")
		_, _, err := conn.Feed(buf, true)
		require.NoError(t, err)
		copy(buf, testkit.Frames("other-own"))
		conn.End(errCut)
		synctest.Wait()
		s.dialing()
		next := newFakeLink(unbounded)
		s.attach(next, 0).Start(true)
		synctest.Wait()
		require.Equal(t, string(testkit.Frames("my-secret")), string(next.written()))
		s.CloseNow(errCut)
	})
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
	conn := s.attach(newSink(), 0)
	require.Zero(t, h.dispatched)
	conn.Start(true)
	require.Equal(t, []EventKind{Connected}, kinds)
	s.CloseNow(errCut)
	<-s.Done()
}

// A callback that ends the session is still running when Closed is due: that waits, and the two
// never run at once.
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
		conn := s.attach(newFakeLink(unbounded), 0)
		conn.Start(true)
		go func() { _, _, _ = conn.Feed(testkit.Frames("message"), true) }()
		synctest.Wait()
		s.CloseNow(errCut)
		synctest.Wait()
		require.Equal(t, []EventKind{Connected}, kinds)
		close(release)
		synctest.Wait()
		require.Equal(t, []EventKind{Connected, Message, Closed}, kinds)
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
		s.attach(newFakeLink(unbounded), 0).Start(false) // no pulse
		require.True(t, entered)
		require.Equal(t, StateConnected, s.State())
		time.Sleep(s.cfg.HeartbeatTimeout * 3 / 2)
		require.Equal(t, StateClosed, s.State(), "silence after the callback counts")
	})
}
