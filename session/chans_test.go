package session

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// chansOf returns the capacities of a new session's channels.
func chansOf(s *Session) [2]int { return [2]int{cap(s.ReadChan()), cap(s.WriteChan())} }

// While few sessions have channels, these have as many slots as help; then as many as the buffer asks for.
// Closed sessions do not count.
func TestChannelCapacity(t *testing.T) {
	for bound, least := range map[int][2]int{1: {1, 1}, 10: {10, 10}, 128: {14, 12}, 1024: {102, 102}, 1e6: {128, 128}} {
		h := &fakeHost{}
		open := func() *Session {
			s, _ := newFake(t, false, func(c *Config) {
				onHost(h)(c)
				c.ReadBuffer, c.WriteBuffer = Fixed(bound), Fixed(bound)
			})
			s.Attach(newSink())
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

		s.Abort(errCut)
		for _, s := range others {
			s.Abort(errCut)
		}
		require.EqualValues(t, extraBytes, h.chans.extra.Load(), "all is given back, and no more")
		closed := open()
		closed.Abort(errCut)
		require.Equal(t, least, chansOf(closed))
		require.EqualValues(t, extraBytes, h.chans.extra.Load())
		for _, s := range append(others, s, closed) {
			close(s.WriteChan())
			for range s.ReadChan() { // until it is closed
			}
		}
	}
}

// However many slots it has, a read channel holds no more bytes than the buffer says, or a single message.
func TestReadChannelIsBoundedInBytes(t *testing.T) {
	s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer.Bytes = 1000 })
	in := s.in
	s.ReadChan()
	push := func(size int) bool {
		before := len(in.out)
		if in.fits(size) {
			in.out <- Event{Kind: Message, Payload: make([]byte, size)}
		}
		return len(in.out) > before
	}
	for range 10 {
		require.True(t, push(100))
	}
	require.False(t, push(1), "any of those may be as large as the largest")
	<-in.out
	require.True(t, push(1))
	for len(in.out) > 0 {
		<-in.out
	}
	require.True(t, push(5000), "it has the channel for itself")
	require.False(t, push(1))
	<-in.out
	for range cap(in.out) {
		require.True(t, push(1000/mostSlots), "small ones have all slots")
	}
	for len(in.out) > 0 {
		<-in.out
	}
	s.Abort(errCut)
}
