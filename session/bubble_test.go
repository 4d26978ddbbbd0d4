package session

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// Users test with testing/synctest: sessions are made, closed, dropped and collected inside a
// bubble, and the bubble ends, whatever the channels still hold and whether they are kept.
func TestSessionsInABubble(t *testing.T) {
	for _, unread := range []bool{false, true} {
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprintf("unread %v, kept %v", unread, keep), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var kept []<-chan Event
					for range 20 {
						in, _ := bubbled(t, unread)
						if keep {
							kept = append(kept, in)
						}
					}
					for range 5 { // cleanups and finalizers run outside of the bubble
						runtime.GC()
						time.Sleep(time.Minute)
					}
					for _, in := range kept {
						n, kind := 0, EventKind(0)
						for ev := range in {
							n, kind = n+1, ev.Kind
						}
						require.Equal(t, Closed, kind)
						require.Equal(t, unread, n > maxSlots)
					}
				})
			})
		}
	}
}

// bubbled makes a session, has it closed and drops all but its channels.
func bubbled(t *testing.T, unread bool) (<-chan Event, chan<- []byte) {
	s, _ := newFake(t, false, nil)
	c := s.attach(newFakeLink(unbounded), 0)
	in, out := s.ReadChan(), s.WriteChan()
	out <- []byte("m")
	if unread {
		for range 2 * maxSlots {
			_, _, err := c.Feed(testkit.Frames("m"), false)
			require.NoError(t, err)
		}
	}
	c.End(errCut)
	<-s.Done()
	for range 3 * maxSlots { // a send after the end never hangs
		out <- []byte("late")
	}
	return in, out
}
