package session

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
)

// onHost puts several sessions of a test on one host.
func onHost(h *fakeHost) func(*Config) {
	return func(c *Config) { c.Host, c.HeartbeatPeriod, c.HeartbeatTimeout = h, time.Hour, 4*time.Hour }
}

// framed are messages as they go over the wire.
func framed(messages ...string) (wire []byte) {
	for _, m := range messages {
		wire = codec.Format{}.AppendFrame(wire, []byte(m))
	}
	return wire
}

func resting(s *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.group != nil
}

// More sessions than a group holds: a message now and then, a burst and then
// rest again, and each way to end. What is sent is written in order, and
// no group is left in the end.
func TestIdleWriteChans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHost{}
		const sessions = 2*groupSize + 1
		var all []*Session
		var links []*fakeLink
		for range sessions {
			s, _ := newFake(t, false, onHost(h))
			links = append(links, newFakeLink(unbounded))
			s.attach(links[len(links)-1])
			all = append(all, s)
		}
		want := make([][]byte, sessions)
		send := func(i int, messages ...string) {
			for _, m := range messages {
				all[i].WriteChan() <- []byte(m)
			}
			want[i] = append(want[i], framed(messages...)...)
		}
		written := func() {
			t.Helper()
			synctest.Wait()
			for i, l := range links {
				require.Equal(t, want[i], l.written(), "session %d", i)
			}
		}
		for i := range all { // now and then: nobody gets a goroutine of his own
			send(i, "first")
		}
		written()
		time.Sleep(idleAfter)
		for i := range all {
			send(i, "second")
			synctest.Wait()
			require.True(t, resting(all[i]))
		}
		written()
		for i := range all {
			var burst []string
			for n := range 3*mostSlots + i {
				burst = append(burst, fmt.Sprint(i, ".", n))
			}
			send(i, burst...)
		}
		written()
		for _, s := range all {
			require.False(t, resting(s))
		}
		time.Sleep(3 * idleAfter)
		for i, s := range all {
			require.True(t, resting(s))
			send(i, "again")
		}
		written()

		for i, s := range all { // some while their channels rest, some not
			if i%4 < 2 {
				send(i, "last", "words")
			}
			if i%2 == 0 {
				close(s.WriteChan())
			} else {
				require.NoError(t, s.Close())
			}
		}
		for _, s := range all {
			<-s.Done()
		}
		written()
		require.Empty(t, h.chans.idle.open)
		for i, s := range all {
			if i%2 == 1 { // the library waits for the user to close what he was given
				close(s.WriteChan())
			}
		}
	})
}

// Sessions join and leave the groups of a host from all sides at once.
func TestIdleWriteChansUnderRace(t *testing.T) {
	h := &fakeHost{}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 200 {
				s, _ := newFake(t, false, onHost(h))
				link := newFakeLink(unbounded)
				s.attach(link)
				out := s.WriteChan()
				want := framed()
				for m := range (i + n) % 4 {
					out <- []byte{byte(m)}
					want = append(want, framed(string([]byte{byte(m)}))...)
				}
				closed := make(chan struct{})
				go func() {
					defer close(closed)
					_ = s.Close()
				}()
				if n%2 == 0 { // two ends at once
					<-closed
				}
				close(out)
				<-closed
				<-s.Done()
				require.Equal(t, string(want), string(link.written()))
			}
		})
	}
	all.Wait()
	h.chans.idle.mu.Lock()
	defer h.chans.idle.mu.Unlock()
	require.Empty(t, h.chans.idle.open)
}
