package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// What was in flight when a connection broke waits again, and counts again.
func TestLossyWriteBufferAcrossOutages(t *testing.T) {
	for _, buffer := range []Buffer{Dropping(8), Sliding(8)} {
		t.Run(fmt.Sprint(buffer.Policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, d := newFake(t, true, func(c *Config) { c.WriteBuffer = buffer })
				for range 5 { // a peer that reads nothing and goes away
					require.True(t, s.dialing())
					r := s.attach(newFakeLink(0))
					synctest.Wait()
					for i := range 100 {
						require.NoError(t, s.Send(t.Context(), fmt.Append(nil, i)))
						synctest.Wait()
					}
					r.End(errCut)
					synctest.Wait()
					<-d.redials
					require.Equal(t, 8, s.Stats().Queued)
				}
				require.EqualValues(t, 500-8, s.Stats().Dropped)
				require.True(t, s.dialing())
				link := newFakeLink(unbounded)
				s.attach(link)
				synctest.Wait()
				want := []string{"0", "1", "2", "3", "4", "5", "6", "7"}
				if buffer.Policy == PolicySliding {
					want = []string{"92", "93", "94", "95", "96", "97", "98", "99"}
				}
				require.Equal(t, testkit.Frames(want...), link.written())
				s.CloseNow(errCut)
			})
		})
	}
}

// What was only queued when a connection broke was accepted once, within the bounds: it stays.
func TestLossyWriteBufferKeepsWhatWasNotInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newFake(t, true, func(c *Config) { c.WriteBuffer = Buffer{Bytes: 100, Policy: PolicySliding} })
		require.True(t, s.dialing())
		for range 2 { // the first leaves room, if only for one byte
			require.NoError(t, s.Send(t.Context(), make([]byte, 99)))
		}
		s.dialFailed(errCut)
		require.True(t, s.dialing())
		link := newFakeLink(0)
		s.mu.Lock()
		s.writing = true // somebody else is about to write
		s.mu.Unlock()
		r := s.attach(link)
		r.End(errCut)
		s.mu.Lock()
		s.writing = false
		s.settle()
		<-d.redials
		require.Equal(t, 2, s.Stats().Queued)
		require.Zero(t, s.Stats().Dropped)
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
		r := s.attach(link)
		r.Start(true)
		for start := time.Now(); time.Since(start) < 30*s.cfg.HeartbeatPeriod; {
			_, _, err := r.Feed(testkit.Frames("message"), true)
			require.NoError(t, err)
			time.Sleep(300 * time.Microsecond)
		}
		require.InDelta(t, 30, len(link.written())/len(testkit.Frames("")), 2, "heartbeats in 30 periods")
		s.CloseNow(errCut)
		time.Sleep(2 * s.cfg.HeartbeatPeriod)
	})
}

// Small requests with large answers, of which one read holds thousands: the peer does not decide how much memory they take.
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
	r := s.attach(link)
	r.Start(true)
	rest, leave, err := r.Feed(testkit.Frames(strings.Split(strings.Repeat("x ", requests-1)+"x", " ")...), true)
	require.NoError(t, err)
	require.True(t, leave)
	s.mu.Lock()
	require.Less(t, s.out.bytes, DefaultWriteBytes+answer)
	s.mu.Unlock()

	link.allow(unbounded) // off the loop, with the rest, nothing is lost
	for len(rest) > 0 {
		rest, _, err = r.Feed(rest, false)
		require.NoError(t, err)
	}
	require.Equal(t, requests, answered)
	s.CloseNow(errCut)
}

// Small runs of slow sessions must not sit in the large blocks that busy ones have left behind.
func TestBlocksFitWhatTheyHold(t *testing.T) {
	for _, size := range []int{1, 1000, 1 << 10, 1<<10 + 1, 5000, maxLent - 1, maxLent} {
		for range 3 {
			large := lend(make([]byte, maxLent))
			b := lend(make([]byte, size))
			require.Len(t, b.b, size)
			require.LessOrEqual(t, cap(b.b), max(2*size, 1<<minBlockBits))
			large.free()
			b.free()
		}
	}
}

// Of the messages that came together, a lossy buffer keeps some: not the memory of all.
func TestLossyReadBufferHoldsNoMoreMemoryThanItCounts(t *testing.T) {
	const payload = "0123456789abcdef"
	s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer = Buffer{Cap: 2000, Bytes: 1 << 20, Policy: PolicyDropping} })
	r := s.attach(newFakeLink(unbounded))
	recv(t, s)
	many := testkit.Frames(strings.Split(strings.Repeat(payload+" ", 39)+payload, " ")...)
	before := testkit.Heap()
	for range 2000/40 + 4000 { // once full, one is taken and one of 40 finds room
		_, _, err := r.Feed(many, false)
		require.NoError(t, err)
		if s.in.messages == 2000 {
			recv(t, s)
		}
	}
	used := testkit.Heap() - before
	require.Less(t, used, int64(2000*(len(payload)+messageCost+64)), "bytes for 2000 messages")
	runtime.KeepAlive(s)
}

// Two receivers and two messages that come together: one may have fetched both before the other waits.
func TestNoReceiverWaitsBesideAMessage(t *testing.T) {
	s, _ := newFake(t, false, func(c *Config) { c.HeartbeatTimeout = time.Hour })
	r := s.attach(newFakeLink(unbounded))
	recv(t, s)
	two := testkit.Frames("a", "b")
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		got := make(chan error, 2)
		for range 2 {
			spin := rand.IntN(30)
			go func() {
				for range spin {
					s.Stats() // holds the locks up
				}
				_, err := s.Recv(context.Background())
				got <- err
			}()
		}
		for range rand.IntN(30) {
			s.Stats()
		}
		_, _, err := r.Feed(two, false)
		require.NoError(t, err)
		for range 2 {
			select {
			case err := <-got:
				require.NoError(t, err)
			case <-time.After(10 * time.Second):
				t.Fatal("Recv waits, though a message is there")
			}
		}
	}
	s.CloseNow(errCut)
}

// The last event goes to one of those who wait; the others learn that there are no more.
func TestEveryReceiverLearnsOfTheEnd(t *testing.T) {
	const many = 8
	for range 20 {
		s, _ := newFake(t, false, nil)
		r := s.attach(newFakeLink(unbounded))
		recv(t, s)
		ended := make(chan error, many)
		for range many {
			go func() {
				_, err := s.Recv(context.Background()) // once
				ended <- err
			}()
		}
		for waiting := 0; waiting < many; runtime.Gosched() {
			s.in.mu.Lock()
			waiting = s.in.ready.waiting
			s.in.mu.Unlock()
		}
		s.in.receiver.Load().mu.Lock() // one of them takes both
		_, _, err := r.Feed(testkit.Frames("a"), false)
		require.NoError(t, err)
		s.CloseNow(errCut)
		s.in.receiver.Load().mu.Unlock()
		for range many {
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Fatal("a receiver waits for what will not come")
			}
		}
	}
}

// A heartbeat that could not be written is no message that a lossy write buffer could drop.
func TestSlidingBehindAHeartbeatThatWasNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, func(c *Config) { c.WriteBuffer = Sliding(2) })
		require.True(t, s.dialing())
		link := newFakeLink(unbounded)
		s.attach(link)
		recv(t, s)
		link.Close() // the heartbeat cannot be written, and the reader has not noticed yet
		time.Sleep(s.cfg.HeartbeatPeriod * 3 / 2)
		for _, m := range testkit.Texts(4) {
			require.NoError(t, s.Send(context.Background(), []byte(m)))
		}
		require.Equal(t, 2, s.Stats().Queued)
		s.CloseNow(errCut)
	})
}
