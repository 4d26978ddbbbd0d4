package session

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Flush waits for what was queued before it, and not for what comes later.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		require.NoError(t, s.Flush(t.Context()), "there is nothing")
		send(t, s, "1234", "5678")
		got := waiting(t.Context(), s.Flush)
		s.dialing()
		link := newFakeLink(15)
		s.attach(link, 0)
		synctest.Wait()
		require.Empty(t, got, "the second is partly written")
		send(t, s, "late")
		later := waiting(t.Context(), s.Flush)
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, s.Flush(brief), context.DeadlineExceeded)
		require.NotNil(t, s.out.flushes.next)
		require.Nil(t, s.out.flushes.next.next, "that has given up")
		link.allow(1)
		require.NoError(t, <-got)
		synctest.Wait()
		require.Empty(t, later)
		link.allow(8)
		require.NoError(t, <-later)
		require.EqualValues(t, 3, s.Stats().Sent, "the session is unharmed")
		require.Nil(t, s.out.flushes)
		s.CloseNow(nil)
		require.NoError(t, s.Flush(t.Context()), "all was sent")
	})
}

// A Flush that waits survives an outage, and its messages are counted wherever they are.
func TestFlushAcrossAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		s.dialing()
		conn := s.attach(newFakeLink(10), 0)
		send(t, s, "1234", "5678", "9012")
		got := waiting(t.Context(), s.Flush)
		synctest.Wait()
		conn.link.Close()
		conn.End(errCut)
		synctest.Wait()
		require.Equal(t, 2, s.Stats().Queued)
		require.Equal(t, 2, s.out.flushes.left)
		s.dialing()
		link := newFakeLink(15)
		s.attach(link, 0)
		synctest.Wait()
		require.Empty(t, got)
		link.allow(1)
		require.NoError(t, <-got)
		s.CloseNow(nil)
	})
}

// What is corked is written at once.
func TestFlushUncorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		s.attach(newFakeLink(unbounded), 0)
		s.hand.Store(uint32(within))
		send(t, s, "m")
		require.EqualValues(t, 0, s.Stats().Sent)
		before := time.Now()
		require.NoError(t, s.Flush(t.Context()))
		require.Zero(t, time.Since(before))
		require.EqualValues(t, 1, s.Stats().Sent)
		s.CloseNow(nil)
	})
}

// Messages that were never sent fail a Flush, with the reason; a close that sends all does not.
func TestFlushAndTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		send(t, s, "m")
		got := waiting(t.Context(), s.Flush)
		s.CloseNow(io.ErrNoProgress)
		err := <-got
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, err, io.ErrNoProgress)
		require.Equal(t, err, s.Flush(t.Context()), "after Closed")

		s, _ = newFake(t, true, nil)
		s.dialing()
		link := newFakeLink(0)
		s.attach(link, 0)
		send(t, s, "m")
		got = waiting(t.Context(), s.Flush)
		require.NoError(t, s.Close())
		link.allow(unbounded)
		require.NoError(t, <-got)
		<-s.Done()
	})
}

// What a lossy policy drops is not waited for, wherever it was in the queue.
func TestFlushAndLossyBuffers(t *testing.T) {
	for name, buffer := range map[string]Buffer{"dropping": Dropping(2), "sliding": Sliding(2)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newFake(t, true, func(c *Config) { c.WriteBuffer = buffer })
				s.dialing()
				conn := s.attach(newFakeLink(0), 0)
				send(t, s, "f1") // in flight
				synctest.Wait()
				send(t, s, "p1", "p2", "p3")
				got := waiting(t.Context(), s.Flush)
				left := 3
				require.Equal(t, left, s.out.flushes.left)
				if buffer.Policy == PolicySliding {
					send(t, s, "p4", "p5", "p6") // the last takes the place of one that came later
					left = 1
				}
				require.Equal(t, left, s.out.flushes.left, "behind what is in flight")
				conn.End(errCut) // now what was in flight may be dropped, too
				synctest.Wait()
				s.dialing()
				link := newFakeLink(0)
				s.attach(link, 0)
				synctest.Wait()
				if buffer.Policy == PolicySliding {
					require.NoError(t, <-got, "all were dropped")
				} else {
					require.Empty(t, got)
					link.allow(unbounded)
					require.NoError(t, <-got)
				}
				s.CloseNow(nil)
			})
		})
	}
}

// Flush includes what was put into WriteChan before, also while the write buffer is full.
func TestFlushIncludesWriteChan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.WriteBuffer = Fixed(2) })
		out := s.WriteChan()
		link := newFakeLink(0)
		s.attach(link, 0)
		for range 5 {
			out <- []byte("1234")
			synctest.Wait()
		}
		got := waiting(t.Context(), s.Flush)
		require.Empty(t, got)
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, s.Flush(brief), context.DeadlineExceeded)
		for n := range 5 {
			require.Empty(t, got, n)
			link.allow(8)
			synctest.Wait()
		}
		require.NoError(t, <-got)
		close(out)
		<-s.Done()
		require.NoError(t, s.Flush(t.Context()))
	})
}

// However the goroutines run: a message that is in the channel, or on its way from there, counts.
func TestFlushSeesEachMessageOfWriteChan(t *testing.T) {
	s, _ := newFake(t, false, func(c *Config) { c.HeartbeatTimeout = time.Hour })
	s.attach(newSink(), 0)
	out := s.WriteChan()
	for n := range 2000 {
		out <- []byte("m")
		if n%3 == 0 {
			out <- []byte("n")
		}
		before := uint64(n + 1 + (n+3)/3)
		require.NoError(t, s.Flush(context.Background()))
		require.Equal(t, before, s.Stats().Sent)
	}
	s.CloseNow(nil)
	require.NoError(t, s.Flush(context.Background()))
}

// Many flush while their messages go out, and the session closes in the midst of it.
func TestManyFlushes(t *testing.T) {
	for range 50 {
		s, _ := newFake(t, false, func(c *Config) { c.HeartbeatTimeout = time.Hour })
		s.attach(newSink(), 0)
		got := make(chan error, 8)
		for range cap(got) {
			go func() {
				for {
					if err := s.Send(context.Background(), []byte("m")); err != nil {
						got <- nil
						return
					}
					if err := s.Flush(context.Background()); err != nil {
						got <- err
						return
					}
				}
			}()
		}
		time.AfterFunc(time.Millisecond, func() { s.CloseNow(errCut) })
		for range cap(got) {
			if err := <-got; !errors.Is(err, ErrClosed) {
				require.NoError(t, err)
			}
		}
	}
}

func send(t *testing.T, s *Session, messages ...string) {
	t.Helper()
	for _, m := range messages {
		require.NoError(t, s.Send(t.Context(), []byte(m)))
	}
}
