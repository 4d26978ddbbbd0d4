package session

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// No wake-up is lost among many senders and a slow link.
func TestManySendersOfAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) {
			c.WriteBuffer = Fixed(2)
			c.HeartbeatTimeout = time.Hour // the peer says nothing
		})
		link := newFakeLink(0)
		s.attach(link, 0)
		const senders, each = 20, 50
		done := make(chan error, senders)
		for range senders {
			go func() {
				for range each {
					if err := s.Send(context.Background(), []byte("m")); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		ctx, cancel := context.WithCancel(t.Context())
		var others sync.WaitGroup
		others.Go(func() { // senders that give up must not take a wake-up with them
			for ctx.Err() == nil {
				short, stop := context.WithTimeout(ctx, time.Millisecond)
				_ = s.Send(short, []byte("m"))
				stop()
			}
		})
		others.Go(func() {
			for ctx.Err() == nil {
				link.allow(5)
				time.Sleep(time.Millisecond)
			}
		})
		for range senders {
			require.NoError(t, <-done)
		}
		cancel()
		others.Wait()
		s.CloseNow(errCut)
	})
}

// Room for several wakes several.
func TestRoomForSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.WriteBuffer = Fixed(4) })
		link := newFakeLink(0)
		s.attach(link, 0)
		for range 4 {
			require.NoError(t, s.Send(t.Context(), []byte("1234")))
		}
		synctest.Wait()
		got := make(chan error, 3)
		for range cap(got) {
			go func() { got <- s.Send(context.Background(), []byte("5678")) }()
		}
		synctest.Wait()
		link.allow(8 * 4) // all four at once, and no more
		synctest.Wait()
		require.Len(t, got, 3)
		s.CloseNow(errCut)
	})
}

// A connected session lingers, but a Send that waits returns at once.
func TestCloseTellsWaitingSendersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.WriteBuffer = Fixed(1) })
		s.attach(newFakeLink(0), 0)
		require.NoError(t, s.Send(t.Context(), []byte("x")))
		got := make(chan error, 3)
		for range cap(got) {
			go func() { got <- s.Send(context.Background(), []byte("y")) }()
		}
		synctest.Wait()
		require.NoError(t, s.Close())
		synctest.Wait()
		require.Len(t, got, cap(got))
		require.Equal(t, StateConnected, s.State(), "it lingers")
		for range cap(got) {
			require.ErrorIs(t, <-got, ErrClosed)
		}
		s.CloseNow(errCut)
	})
}
