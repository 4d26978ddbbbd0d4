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
			s.attach(newSink(), 0)
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

// What was in flight when a connection broke waits again, and counts again.
func TestLossyWriteBufferAcrossOutages(t *testing.T) {
	for _, buffer := range []Buffer{Dropping(8), Sliding(8)} {
		t.Run(fmt.Sprint(buffer.Policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, d := newFake(t, true, func(c *Config) { c.WriteBuffer = buffer })
				for range 5 { // a peer that reads nothing and goes away
					require.True(t, s.dialing())
					conn := s.attach(newFakeLink(0), 0)
					synctest.Wait()
					for i := range 100 {
						require.NoError(t, s.Send(t.Context(), fmt.Append(nil, i)))
						synctest.Wait()
					}
					conn.End(errCut)
					synctest.Wait()
					<-d.redials
					require.Equal(t, 8, s.Stats().Queued)
				}
				require.EqualValues(t, 500-8, s.Stats().Dropped)
				require.True(t, s.dialing())
				link := newFakeLink(unbounded)
				s.attach(link, 0)
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
		s.writing = true // another goroutine is about to write
		s.mu.Unlock()
		conn := s.attach(link, 0)
		conn.End(errCut)
		s.mu.Lock()
		s.writing = false
		s.settle()
		<-d.redials
		require.Equal(t, 2, s.Stats().Queued)
		require.Zero(t, s.Stats().Dropped)
		s.CloseNow(errCut)
	})
}

// Three messages of nine bytes are the first to pass twenty; what is taken out does not count any
// more.
func TestInboundSlidingByBytes(t *testing.T) {
	s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer = Buffer{Bytes: 20, Policy: PolicySliding} })
	conn := s.attach(newSink(), 0)
	recv(t, s)
	for range 3 {
		for i := range 10 {
			_, _, err := conn.Feed(testkit.Frames(fmt.Sprintf("message %d", i)), false)
			require.NoError(t, err)
		}
		require.Equal(t, 3, s.Stats().Unread)
		for i := 7; i < 10; i++ {
			require.Equal(t, fmt.Sprintf("message %d", i), string(recv(t, s).Payload))
		}
	}
	s.CloseNow(errCut)
}

// Of the messages that came together, a lossy buffer keeps some: not the memory of all.
func TestLossyReadBufferHoldsNoMoreMemoryThanItCounts(t *testing.T) {
	const payload = "0123456789abcdef"
	s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer = Buffer{Cap: 2000, Bytes: 1 << 20, Policy: PolicyDropping} })
	conn := s.attach(newFakeLink(unbounded), 0)
	recv(t, s)
	many := testkit.Frames(strings.Split(strings.Repeat(payload+" ", 39)+payload, " ")...)
	before := testkit.Heap()
	for range 2000/40 + 4000 { // once full, one is taken and one of 40 finds room
		_, _, err := conn.Feed(many, false)
		require.NoError(t, err)
		if s.in.messages == 2000 {
			recv(t, s)
		}
	}
	used := testkit.Heap() - before
	require.Less(t, used, int64(2000*(len(payload)+messageCost+96)), "bytes for 2000 messages")
	runtime.KeepAlive(s)
}

// A heartbeat that could not be written is no message that a lossy write buffer could drop.
func TestSlidingBehindAHeartbeatThatWasNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, func(c *Config) { c.WriteBuffer = Sliding(2) })
		require.True(t, s.dialing())
		link := newFakeLink(unbounded)
		s.attach(link, 0)
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
