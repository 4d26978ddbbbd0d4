package session

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// Who waits in Recv when ReadChan is called for the first time goes on with the channel.
func TestWaitingRecvChangesOverToReadChan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		s.attach(newFakeLink(unbounded))
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

// A connected session lingers, but who waits in Send hears at once.
func TestCloseTellsWaitingSendersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.WriteBuffer = Fixed(1) })
		s.attach(newFakeLink(0))
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

// Our goodbye was planned, whatever the peer was about to say.
func TestGoodbyeWithinAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		link := &goodbyeLink{fakeLink: newFakeLink(unbounded)}
		r := s.attach(link)
		link.onFinish = func() { r.End(io.EOF) }
		_, _, err := r.Feed(testkit.Frames("half")[:6], false)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		recv(t, s)
		require.Equal(t, Event{Kind: Closed, Epoch: 1}, recv(t, s))
	})
}

// Three messages of nine bytes are the first to pass twenty; what is taken out does not count any more.
func TestInboundSlidingByBytes(t *testing.T) {
	s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer = Buffer{Bytes: 20, Policy: PolicySliding} })
	r := s.attach(newSink())
	recv(t, s)
	for range 3 {
		for i := range 10 {
			_, _, err := r.Feed(testkit.Frames(fmt.Sprintf("message %d", i)), false)
			require.NoError(t, err)
		}
		require.Equal(t, 3, s.Stats().Unread)
		for i := 7; i < 10; i++ {
			require.Equal(t, fmt.Sprintf("message %d", i), string(recv(t, s).Payload))
		}
	}
	s.CloseNow(errCut)
}

// A reader who waits for room hears of a failed write at once: he is to find the end.
func TestFailedWriteFreesTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer = Fixed(2) })
		link := newFakeLink(0)
		r := s.attach(link)
		free := make(chan bool, 1)
		go func() {
			_, _, _ = r.Feed(testkit.Frames("a", "b", "c"), false)
			r.Wait()
			free <- true
		}()
		require.NoError(t, s.Send(t.Context(), []byte("x")))
		synctest.Wait()
		require.Empty(t, free)
		link.Close()
		synctest.Wait()
		require.Len(t, free, 1)
		s.CloseNow(errCut)
	})
}

// What is read past the bounds, to find the end, is not dropped.
func TestDrainedMessagesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer = Fixed(2) })
		link := newFakeLink(0)
		r := s.attach(link)
		require.NoError(t, s.Send(t.Context(), []byte("x")))
		synctest.Wait()
		link.Close()
		synctest.Wait()
		for i := range 20 {
			rest, _, err := r.Feed(testkit.Frames(fmt.Sprint(i)), false)
			require.NoError(t, err)
			require.Empty(t, rest)
		}
		r.End(io.EOF)
		recv(t, s)
		for i := range 20 {
			require.Equal(t, fmt.Sprint(i), string(recv(t, s).Payload))
		}
		require.Equal(t, Closed, recv(t, s).Kind)
	})
}

// More events wait than the channel holds, and only the channel is kept: all of them come, and its end.
func TestChannelOutlivesADroppedSession(t *testing.T) {
	const n = 4 * maxSlots
	in := func() <-chan Event {
		s, _ := newFake(t, false, func(c *Config) { c.HeartbeatPeriod = time.Millisecond; c.ReadBuffer = Fixed(2 * n) })
		r := s.attach(newFakeLink(unbounded))
		in := s.ReadChan()
		for i := range n {
			_, _, err := r.Feed(testkit.Frames(fmt.Sprint(i)), false)
			require.NoError(t, err)
		}
		r.End(errCut)
		<-s.Done()
		return in
	}()
	for range 10 {
		runtime.GC()
		time.Sleep(5 * time.Millisecond)
	}
	got, last := 0, Event{}
	for {
		select {
		case ev, ok := <-in:
			if !ok {
				require.Equal(t, n+2, got)
				require.Equal(t, Closed, last.Kind)
				return
			}
			got, last = got+1, ev
		case <-time.After(5 * time.Second):
			t.Fatal("the channel is not closed")
		}
	}
}

// Room for several wakes several.
func TestRoomForSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.WriteBuffer = Fixed(4) })
		link := newFakeLink(0)
		s.attach(link)
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
