package session

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// chansOf returns the capacities of a new session's channels.
func chansOf(s *Session) [2]int { return [2]int{cap(s.ReadChan()), cap(s.WriteChan())} }

// While few sessions have channels, these have as many slots as help; then as many as the buffer asks for.
// Closed sessions do not count.
func TestChannelCapacity(t *testing.T) {
	for bound, least := range map[int][2]int{1: {1, 1}, 10: {10, 10}, 128: {15, 12}, 1024: {102, 102}, 1e6: {128, 128}} {
		h := &fakeHost{}
		open := func() *Session {
			s, _ := newFake(t, false, func(c *Config) {
				onHost(h)(c)
				c.ReadBuffer, c.WriteBuffer = Fixed(bound), Fixed(bound)
			})
			s.attach(newSink())
			return s
		}
		most := min(bound, mostSlots)
		s := open()
		require.Equal(t, [2]int{most, most}, chansOf(s))

		h.chans.extra.Add(extraBytes)
		others := []*Session{open(), open()}
		for _, s := range others {
			require.Equal(t, least, chansOf(s), "of %d", bound)
		}

		for _, s := range append(others, s) {
			s.abort(errCut)
			<-s.Done()
		}
		require.EqualValues(t, extraBytes, h.chans.extra.Load(), "all is given back, and no more")
		closed := open()
		closed.abort(errCut)
		require.Equal(t, least, chansOf(closed))
		require.EqualValues(t, extraBytes, h.chans.extra.Load())
		for _, s := range append(others, s, closed) {
			close(s.WriteChan())
			for range s.ReadChan() { // until it is closed
			}
		}
	}
}

// A buffer for few bytes has few slots before it: what a write channel holds is bounded by nothing else.
func TestChannelCapacityFollowsBytes(t *testing.T) {
	for part, most := range map[int]int{1: 128, 2: 64, 4: 32, 64: 0} {
		s, _ := newFake(t, false, func(c *Config) {
			c.ReadBuffer.Bytes, c.WriteBuffer.Bytes = DefaultReadBytes/part, DefaultWriteBytes/part
		})
		require.Equal(t, [2]int{max(most, readSlots.least), max(most, writeSlots.least)}, chansOf(s))
		s.abort(errCut)
		close(s.WriteChan())
	}
}

// However many slots it has, a read channel holds no more bytes than the buffer says, or a single message.
func TestSlotsOfReadChannelAreBoundedInBytes(t *testing.T) {
	s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer.Bytes = 1000 })
	in := s.in
	s.ReadChan()
	push := func(size int) bool { return in.trySend(Event{Payload: make([]byte, size)}) }
	drain := func() {
		for len(in.out) > 0 {
			<-in.out
		}
	}
	for range 10 {
		require.True(t, push(100))
	}
	require.False(t, push(1), "any of those may be as large as the largest")
	require.True(t, push(0), "a lifecycle event takes nothing")
	<-in.out
	<-in.out
	require.True(t, push(1))
	drain()
	require.True(t, push(5000), "it has the channel for itself")
	require.False(t, push(1))
	<-in.out
	for range cap(in.out) {
		require.True(t, push(1000/cap(in.out)), "small ones have all slots")
	}
	require.True(t, in.fits(1000/cap(in.out)), "the pump need not look at a clock to wait for a slot")
	require.False(t, push(1))
	drain()
	s.abort(errCut)
}

// A large message in the channel keeps no goroutine looking for room for the events behind it.
func TestLifecycleEventsFitBehindALargeMessage(t *testing.T) {
	s, _ := newFake(t, false, nil)
	r := s.attach(newSink())
	events := s.ReadChan()
	<-events // Connected
	_, _, err := r.Feed(framed(string(make([]byte, 600<<10))), false)
	require.NoError(t, err)
	s.abort(errCut)
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
				rest, _, err := r.Feed(framed(string(make([]byte, 50<<10))), false)
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
		s.abort(errCut)
		for range events {
		}
	})
}

// Who has found a session before it had a connection is told when it never gets one, and takes no slots for good.
func TestSessionThatNeverBegan(t *testing.T) {
	for _, early := range []bool{false, true} {
		h := &fakeHost{}
		s, _ := newFake(t, false, onHost(h))
		if early {
			s.ReadChan()
		}
		s.abort(errCut)
		_, open := <-s.ReadChan()
		require.False(t, open)
		_, err := s.Recv(t.Context())
		require.ErrorIs(t, err, io.EOF)
		require.Zero(t, h.chans.extra.Load())
	}
}
