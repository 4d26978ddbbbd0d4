package session

import (
	"context"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// Three wait, three messages come at once: each gets one.
func TestManyReceiversOfOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		conn := s.attach(newFakeLink(unbounded), 0)
		recv(t, s)
		got := make(chan error, 3)
		for range cap(got) {
			go func() { _, err := s.Recv(context.Background()); got <- err }()
		}
		synctest.Wait()
		_, _, err := conn.Feed(testkit.Frames("a", "b", "c"), false)
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, got, cap(got))
		s.CloseNow(errCut)
	})
}

// Two receivers and two messages that come together: one may have fetched both before the other
// waits.
func TestNoReceiverWaitsBesideAMessage(t *testing.T) {
	s, _ := newFake(t, false, func(c *Config) { c.HeartbeatTimeout = time.Hour })
	conn := s.attach(newFakeLink(unbounded), 0)
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
		_, _, err := conn.Feed(two, false)
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

// The last event goes to one of those that wait; the others learn that there are no more.
func TestEveryReceiverLearnsOfTheEnd(t *testing.T) {
	const many = 8
	for range 20 {
		s, _ := newFake(t, false, nil)
		conn := s.attach(newFakeLink(unbounded), 0)
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
		_, _, err := conn.Feed(testkit.Frames("a"), false)
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

// A Recv that waits when ReadChan is called for the first time goes on with the channel.
func TestWaitingRecvChangesOverToReadChan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		s.attach(newFakeLink(unbounded), 0)
		recv(t, s)
		got := make(chan error, 3)
		for range cap(got) {
			go func() { _, err := s.Recv(context.Background()); got <- err }()
		}
		synctest.Wait()
		s.ReadChan()
		synctest.Wait()
		s.CloseNow(errCut)
		synctest.Wait()
		require.Len(t, got, cap(got))
	})
}
