package session

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// More events wait than the channel holds, and only the channel is kept: all of them come, and its
// end.
func TestChannelOutlivesADroppedSession(t *testing.T) {
	const n = 4 * maxSlots
	in := func() <-chan Event {
		s, _ := newFake(t, false, func(c *Config) { c.HeartbeatPeriod = time.Millisecond; c.ReadBuffer = Fixed(2 * n) })
		conn := s.attach(newFakeLink(unbounded), 0)
		in := s.ReadChan()
		for i := range n {
			_, _, err := conn.Feed(testkit.Frames(fmt.Sprint(i)), false)
			require.NoError(t, err)
		}
		conn.End(errCut)
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

// ended makes a session that got 100 messages and has closed, and returns its channels alone.
func ended(t *testing.T) (<-chan Event, chan<- []byte) {
	s, _ := newFake(t, false, func(c *Config) {
		c.HeartbeatPeriod = time.Millisecond // the last tick drops the session
	})
	conn := s.attach(newFakeLink(unbounded), 0)
	in, out := s.ReadChan(), s.WriteChan()
	var all []string
	for i := range 100 {
		all = append(all, fmt.Sprint(i))
	}
	_, _, err := conn.Feed(testkit.Frames(all...), false)
	require.NoError(t, err)
	conn.End(errCut)
	<-s.Done()
	return in, out
}

// The channels alone are kept: they bring everything, and a send never hangs. They are dropped,
// too: nothing is left behind, which TestMain looks for.
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
