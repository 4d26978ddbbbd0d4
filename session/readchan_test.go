package session

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/testkit"
)

// The capacity of the channels follows from the options alone.
func TestChannelCapacity(t *testing.T) {
	for _, c := range []struct{ bound, maxPayload, want int }{
		{128, codec.DefaultMaxPayload, 64},
		{1, codec.DefaultMaxPayload, 1},
		{10, codec.DefaultMaxPayload, 10},
		{1e6, 1, 64},
		{128, 4 << 20, 64},
		{128, 16 << 20, 16},
		{128, codec.MaxPayloadLimit, 8},
		{5, codec.MaxPayloadLimit, 5},
	} {
		for _, closed := range []bool{false, true} {
			s, _ := newFake(t, false, func(cfg *Config) {
				cfg.ReadBuffer, cfg.WriteBuffer, cfg.MaxPayload = Fixed(c.bound), Fixed(c.bound), c.maxPayload
			})
			s.attach(newSink())
			if closed {
				s.CloseNow(errCut)
			}
			require.Equal(t, c.want, cap(s.ReadChan()), "%+v", c)
			require.Equal(t, c.want, cap(s.WriteChan()), "%+v", c)
			close(s.WriteChan())
			for range s.ReadChan() { // until it is closed
			}
		}
	}
}

// What a write channel may hold is bounded, as documented.
func TestWriteChannelHoldsAtMost256MiB(t *testing.T) {
	for _, maxPayload := range []int{1, 1 << 20, 4 << 20, 5 << 20, 32 << 20} {
		b := Fixed(1000)
		require.LessOrEqual(t, b.slots(maxPayload)*maxPayload, slotBytes)
	}
}

// However many slots it has, a read channel holds no more bytes than the buffer says, or a single message.
func TestSlotsOfReadChannelAreBoundedInBytes(t *testing.T) {
	s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer.Bytes = 1000 })
	s.ReadChan()
	o := s.in.outlet
	push := func(size int) bool { return o.send(Event{Payload: make([]byte, size)}) }
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

// A large message in the channel keeps no goroutine looking for room for the events behind it.
func TestLifecycleEventsFitBehindALargeMessage(t *testing.T) {
	s, _ := newFake(t, false, nil)
	r := s.attach(newSink())
	events := s.ReadChan()
	<-events // Connected
	_, _, err := r.Feed(testkit.Frames(string(make([]byte, 600<<10))), false)
	require.NoError(t, err)
	s.CloseNow(errCut)
	require.Len(t, events, 2)
	for range events { // until it is closed
	}
}

// A consumer who was slow for a time, and has taken what its channel held, waits at most for a quarter of that
// time for more.
func TestPumpLooksForRoomInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.HeartbeatPeriod, c.HeartbeatTimeout = time.Hour, 4*time.Hour })
		r := s.attach(newSink())
		events := s.ReadChan()
		go func() {
			for range 1000 {
				rest, _, err := r.Feed(testkit.Frames(string(make([]byte, 50<<10))), false)
				for len(rest) > 0 && err == nil {
					r.Wait()
					rest, _, err = r.Feed(rest, false)
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

// Whoever has found a session before it had a connection is told when it never gets one.
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
		r := s.attach(newFakeLink(unbounded))
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
		r := s.attach(newFakeLink(unbounded))
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
