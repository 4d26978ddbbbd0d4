package session

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// Interleavings that once went wrong, and stay put right.

// An inline echo whose write fails keeps its messages for the next connection,
// not the memory of a read buffer that gnet uses for others by then.
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
		r := s.attach(broken)
		r.Start(true)
		broken.Close() // its loop does not know yet
		buf := testkit.Frames("my-secret")
		_, _, err := r.Feed(buf, true)
		require.NoError(t, err)
		copy(buf, testkit.Frames("other-own"))
		r.End(errCut)
		synctest.Wait()
		s.dialing()
		next := newFakeLink(unbounded)
		s.attach(next).Start(true)
		synctest.Wait()
		require.Equal(t, string(testkit.Frames("my-secret")), string(next.written()))
		s.CloseNow(errCut)
	})
}

// Three wait, three messages come at once: each gets one.
func TestManyReceiversOfOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		r := s.attach(newFakeLink(unbounded))
		recv(t, s)
		got := make(chan error, 3)
		for range cap(got) {
			go func() { _, err := s.Recv(context.Background()); got <- err }()
		}
		synctest.Wait()
		_, _, err := r.Feed(testkit.Frames("a", "b", "c"), false)
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, got, cap(got))
		s.CloseNow(errCut)
	})
}

// A message that WriteChan refuses needs no room, and takes nobody's.
func TestRefusedMessageDoesNotUseUpAWakeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.WriteBuffer = Fixed(1) })
		link := newFakeLink(0)
		s.attach(link)
		require.NoError(t, s.Send(t.Context(), []byte("x")))
		w := s.WriteChan()
		w <- nil
		synctest.Wait()
		sent := make(chan error, 1)
		go func() { sent <- s.Send(context.Background(), []byte("y")) }()
		synctest.Wait()
		link.allow(unbounded)
		synctest.Wait()
		require.Len(t, sent, 1)
		s.CloseNow(errCut)
		close(w)
	})
}

// A lossy write buffer never makes its user wait, whatever the peer does.
func TestLossyWriteChanNeverBlocks(t *testing.T) {
	for _, buffer := range []Buffer{Sliding(8), Dropping(8)} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := newFake(t, false, func(c *Config) { c.WriteBuffer = buffer })
			s.attach(newFakeLink(0))
			w := s.WriteChan()
			for i := range 200 {
				select {
				case w <- []byte("m"):
				case <-time.After(time.Second):
					t.Fatalf("message %d waits", i)
				}
			}
			s.CloseNow(errCut)
			close(w)
		})
	}
}

// Tick's look at a connection that is lost meanwhile takes nothing from it.
func TestHeartbeatOfALostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		s.dialing()
		r := s.attach(newFakeLink(unbounded))
		r.End(errCut)
		s.heartbeat(r)
		require.False(t, s.writing)
		require.NoError(t, s.Close())
		require.Equal(t, StateClosed, s.State())
	})
}

// The slots of the read channel are bounded in bytes, too.
func TestReadChanIsBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil) // 1 MiB
		r := s.attach(newFakeLink(unbounded))
		in := s.ReadChan()
		big := testkit.Frames(strings.Repeat("x", 4<<20))
		accepted := 0
		for ; accepted < 20; accepted++ {
			rest, _, err := r.Feed(big, false)
			require.NoError(t, err)
			time.Sleep(time.Second)
			if len(rest) > 0 {
				break
			}
		}
		require.LessOrEqual(t, accepted, 4, "in the channel, in the pump's hand and in the queue")
		s.CloseNow(errCut)
		for range in {
		}
	})
}

// Two who close a registry are both told when it is empty.
func TestRegistryClosedTwice(t *testing.T) {
	var r Registry
	s := r.Add(func(id uint64) *Session { s, _ := newFake(t, false, nil); s.id = id; return s })
	_, first := r.Close()
	_, second := r.Close()
	require.Nil(t, r.Add(nil))
	r.Remove(s)
	<-first
	<-second
}

// ended makes a session that got 100 messages and has closed, and returns its
// channels alone.
func ended(t *testing.T) (<-chan Event, chan<- []byte) {
	s, _ := newFake(t, false, func(c *Config) { c.HeartbeatPeriod = time.Millisecond }) // the last tick drops it
	r := s.attach(newFakeLink(unbounded))
	in, out := s.ReadChan(), s.WriteChan()
	var all []string
	for i := range 100 {
		all = append(all, fmt.Sprint(i))
	}
	_, _, err := r.Feed(testkit.Frames(all...), false)
	require.NoError(t, err)
	r.End(errCut)
	<-s.Done()
	return in, out
}

// Who keeps only the channels of a session gets everything, and never hangs;
// who drops them, too, leaves nothing behind: TestMain looks for that.
func TestChannelsOutliveADroppedSession(t *testing.T) {
	in, out := ended(t)
	_, _ = ended(t)
	for range 10 {
		runtime.GC()
		time.Sleep(5 * time.Millisecond) // for the runtime's cleanups, which announce nothing
	}
	n, last := 0, Event{}
	for ev := range in {
		n, last = n+1, ev
	}
	require.Equal(t, 102, n)
	require.Equal(t, Closed, last.Kind)
	for range 3 * maxSlots {
		select {
		case out <- []byte("x"):
		case <-time.After(5 * time.Second):
			t.Fatal("a send after the end hangs")
		}
	}
	close(out)
}

// A session with callbacks has a read channel that is closed from the
// beginning: its events must not run into it.
func TestReadChanOfASessionWithCallbacks(t *testing.T) {
	kinds := make(chan EventKind, 10)
	s, _ := newFake(t, false, func(c *Config) { c.OnEvent = func(_ *Session, ev Event) { kinds <- ev.Kind } })
	_, open := <-s.ReadChan()
	require.False(t, open)
	r := s.attach(newFakeLink(unbounded))
	_, _, err := r.Feed(testkit.Frames("a"), false)
	require.NoError(t, err)
	s.CloseNow(errCut)
	for _, want := range []EventKind{Connected, Message, Closed} {
		require.Equal(t, want, <-kinds)
	}
}

// ReadChan called for the first time when the session closes, before or after that: nobody waits
// for a reader, and none of the events is lost.
func TestReadChanWhileTheSessionCloses(t *testing.T) {
	for _, early := range []bool{true, false} {
		s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer = Fixed(8 * maxSlots) })
		r := s.attach(newFakeLink(unbounded))
		for range 4 * maxSlots {
			_, _, err := r.Feed(testkit.Frames("a"), false)
			require.NoError(t, err)
		}
		if early {
			s.ReadChan()
		}
		s.CloseNow(errCut)
		n := 0
		for range s.ReadChan() {
			n++
		}
		require.Equal(t, 4*maxSlots+2, n)
	}
}
