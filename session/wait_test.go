package session

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// waiting starts a call that waits, and returns where its answer comes.
func waiting(ctx context.Context, call func(context.Context) error) <-chan error {
	got := make(chan error, 1)
	go func() { got <- call(ctx) }()
	synctest.Wait()
	return got
}

// WaitConnected waits through failed attempts, wakes all that wait, and returns at once if there is
// nothing to wait for.
func TestWaitConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer := newFake(t, true, nil)
		first, second := waiting(t.Context(), s.WaitConnected), waiting(t.Context(), s.WaitConnected)
		s.dialing()
		s.dialFailed(errCut)
		s.dialing()
		synctest.Wait()
		require.Empty(t, first)
		conn := s.attach(newFakeLink(unbounded), 0)
		require.NoError(t, <-first)
		require.NoError(t, <-second)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, s.WaitConnected(ended), "it is connected")

		conn.End(errCut)
		<-dialer.redials
		require.ErrorIs(t, s.WaitConnected(ended), context.Canceled)
		again := waiting(t.Context(), s.WaitConnected)
		require.Empty(t, again)
		s.dialing()
		s.attach(newFakeLink(unbounded), 0).End(errCut)
		require.NoError(t, <-again, "there was a connection, which was over before the call looked")
		s.CloseNow(nil)
		require.Equal(t, ErrClosed, s.WaitConnected(t.Context()))
	})
}

// With AwaitPeer, that is when the peer was heard.
func TestWaitConnectedAwaitsPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, func(c *Config) { c.AwaitPeer = true })
		got := waiting(t.Context(), s.WaitConnected)
		s.dialing()
		conn := s.attach(newFakeLink(unbounded), 0)
		synctest.Wait()
		require.Empty(t, got)
		_, _, err := conn.Feed(make([]byte, 4), false)
		require.NoError(t, err)
		require.NoError(t, <-got)
		s.CloseNow(nil)
	})
}

// Those who wait learn that the session closes, and why.
func TestWaitConnectedTellsTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		got := waiting(t.Context(), s.WaitConnected)
		s.CloseNow(errCut)
		err := <-got
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, err, errCut)
	})
}

// Many wait while connections come and go: each is woken.
func TestWaitConnectedLosesNoWakeUp(t *testing.T) {
	s, dialer := newFake(t, true, func(c *Config) { c.HeartbeatTimeout = time.Hour })
	const many, rounds = 8, 300
	go func() {
		for range s.ReadChan() { // which nobody else reads
		}
	}()
	for range rounds {
		got := make(chan error, many)
		for range many {
			go func() { got <- s.WaitConnected(context.Background()) }()
		}
		s.dialing()
		conn := s.attach(newFakeLink(unbounded), 0)
		for range many / 2 {
			require.NoError(t, <-got)
		}
		conn.End(errCut)
		<-dialer.redials
		s.dialing()
		conn = s.attach(newFakeLink(unbounded), 0) // for those that began late
		for range many - many/2 {
			require.NoError(t, <-got)
		}
		conn.End(errCut)
		<-dialer.redials
	}
	s.CloseNow(nil)
}

// The context ends with the session, and its cause is why.
func TestContextEndsWithTheSession(t *testing.T) {
	for _, cause := range []error{nil, errCut} {
		want := cause
		if cause == nil {
			want = context.Canceled
		}
		synctest.Test(t, func(t *testing.T) {
			s, _ := newFake(t, false, nil)
			s.attach(newFakeLink(unbounded), 0)
			ctx := s.Context()
			require.Same(t, ctx, s.Context())
			child, stop := context.WithTimeout(ctx, time.Hour)
			defer stop()
			require.NoError(t, ctx.Err())
			s.CloseNow(cause)
			synctest.Wait()
			require.Equal(t, context.Canceled, ctx.Err())
			require.Equal(t, want, context.Cause(ctx))
			require.Equal(t, want, context.Cause(child))

			late, _ := newFake(t, false, nil)
			late.attach(newFakeLink(unbounded), 0)
			late.CloseNow(cause)
			synctest.Wait()
			require.Equal(t, want, context.Cause(late.Context()), "made after the end")
		})
	}
}
