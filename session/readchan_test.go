package session

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// However many slots it has, a read channel holds no more bytes than the buffer says, or a single
// message.
func TestSlotsOfReadChannelAreBoundedInBytes(t *testing.T) {
	s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer.Bytes = 1000 })
	s.ReadChan()
	o := s.in.outlet
	push := func(size int) bool { return o.send(&Event{Payload: make([]byte, size)}) }
	drain := func() {
		for len(o.c) > 0 {
			<-o.c
		}
	}
	for range 10 {
		require.True(t, push(100))
	}
	require.False(t, push(1), "any of those may be as large as the largest")
	require.True(t, push(0), "a lifecycle event takes nothing")
	<-o.c
	<-o.c
	require.True(t, push(1))
	drain()
	require.True(t, push(5000), "it has the channel for itself")
	require.False(t, push(1))
	<-o.c
	for range cap(o.c) {
		require.True(t, push(1000/cap(o.c)), "small ones have all slots")
	}
	require.True(t, o.bound.fits(len(o.c), cap(o.c), 1000/cap(o.c)), "the pump need not look at a clock to wait for a slot")
	require.False(t, push(1))
	drain()
	s.CloseNow(errCut)
}

// A session reads no more than its buffer's bytes say, in the channel and behind it.
func TestReadChanIsBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil) // 1 MiB
		conn := s.attach(newFakeLink(unbounded), 0)
		in := s.ReadChan()
		big := testkit.Frames(strings.Repeat("x", 4<<20))
		accepted := 0
		for ; accepted < 20; accepted++ {
			rest, _, err := conn.Feed(big, false)
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

// A large message in the channel keeps no goroutine looking for room for the events behind it.
func TestLifecycleEventsFitBehindALargeMessage(t *testing.T) {
	s, _ := newFake(t, false, nil)
	conn := s.attach(newSink(), 0)
	events := s.ReadChan()
	<-events // Connected
	_, _, err := conn.Feed(testkit.Frames(string(make([]byte, 600<<10))), false)
	require.NoError(t, err)
	s.CloseNow(errCut)
	require.Len(t, events, 2)
	for range events { // until it is closed
	}
}

// A consumer that was slow for a time, and has taken what its channel held, waits at most for a
// quarter of that time for more.
func TestPumpLooksForRoomInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.HeartbeatPeriod, c.HeartbeatTimeout = time.Hour, 4*time.Hour })
		conn := s.attach(newSink(), 0)
		events := s.ReadChan()
		go func() {
			for range 1000 {
				rest, _, err := conn.Feed(testkit.Frames(string(make([]byte, 50<<10))), false)
				for len(rest) > 0 && err == nil {
					conn.Wait()
					rest, _, err = conn.Feed(rest, false)
				}
			}
		}()
		for _, slow := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond} {
			time.Sleep(slow)
			synctest.Wait()
			for len(events) > 0 {
				<-events
			}
			begin := time.Now()
			<-events
			require.LessOrEqual(t, time.Since(begin), slow/4+offerPauseMin)
		}
		s.CloseNow(errCut)
		for range events {
		}
	})
}

// ReadChan called for the first time when the session closes, before or after that: nobody waits
// for a reader, and none of the events is lost.
func TestReadChanWhileTheSessionCloses(t *testing.T) {
	for _, early := range []bool{true, false} {
		s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer = Fixed(8 * maxSlots) })
		conn := s.attach(newFakeLink(unbounded), 0)
		for range 4 * maxSlots {
			_, _, err := conn.Feed(testkit.Frames("a"), false)
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

// A session with callbacks has a read channel that is closed from the beginning: its events must
// not run into it.
func TestReadChanOfASessionWithCallbacks(t *testing.T) {
	kinds := make(chan EventKind, 10)
	s, _ := newFake(t, false, func(c *Config) { c.OnEvent = func(_ *Session, ev Event) { kinds <- ev.Kind } })
	_, open := <-s.ReadChan()
	require.False(t, open)
	conn := s.attach(newFakeLink(unbounded), 0)
	_, _, err := conn.Feed(testkit.Frames("a"), false)
	require.NoError(t, err)
	s.CloseNow(errCut)
	for _, want := range []EventKind{Connected, Message, Closed} {
		require.Equal(t, want, <-kinds)
	}
}

// The channel and Recv of a session that never got a connection end.
func TestSessionThatNeverBegan(t *testing.T) {
	for _, early := range []bool{false, true} {
		s, _ := newFake(t, false, nil)
		if early {
			s.ReadChan()
		}
		s.CloseNow(errCut)
		_, open := <-s.ReadChan()
		require.False(t, open)
		_, err := s.Recv(t.Context())
		require.ErrorIs(t, err, io.EOF)
	}
}

// A reader that waits for room goes on when ReadChan, called late, takes all that is queued.
func TestReadChanCalledLateMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer = Fixed(4) })
		r := s.attach(newFakeLink(unbounded), 0)
		recv(t, s) // Connected
		go func() {
			for rest := testkit.Frames(testkit.Texts(10)...); len(rest) > 0; {
				rest, _, _ = r.Feed(rest, false)
				if len(rest) > 0 {
					r.Wait()
				}
			}
		}()
		synctest.Wait()
		events := s.ReadChan()
		for _, want := range testkit.Texts(10) {
			synctest.Wait()
			require.NotEmpty(t, events, "the reader waits beside an empty queue")
			require.Equal(t, want, string((<-events).Payload))
		}
		s.CloseNow(errCut)
	})
}

// What ReadChan had no room for when the session closed does not count as unread for ever.
func TestNothingIsUnreadAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer = Sliding(4) })
		r := s.attach(newFakeLink(unbounded), 0)
		events := s.ReadChan()
		_, _, err := r.Feed(testkit.Frames(testkit.Texts(4)...), false)
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 4, s.Stats().Unread)
		r.End(io.EOF)
		for range 6 {
			<-events
		}
		synctest.Wait()
		require.Zero(t, s.Stats().Unread)
	})
}
