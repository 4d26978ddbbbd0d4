package broadcast

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

func rooms(h *Hub) map[string]int { return maps.Collect(h.Rooms()) }

func TestRoomsExistWhileTheyHaveMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, other := NewHub(Options{}), NewHub(Options{})
		la, lb := newLink(false), newLink(false)
		a, b := connected(t, la, nil), connected(t, lb, nil)
		require.Equal(t, Result{}, h.Send("x", []byte("to nobody")))
		require.False(t, h.Leave("x", a))
		require.True(t, h.Join("x", a))
		require.False(t, h.Join("x", a))
		require.True(t, h.Join("x", b))
		require.True(t, h.Join("y", a))
		require.True(t, other.Join("x", a))
		require.Equal(t, map[string]int{"x": 2, "y": 1}, rooms(h))
		require.Equal(t, Result{Queued: 2}, h.Send("x", []byte("1")))
		require.Equal(t, Result{Queued: 1}, h.SendExcept("x", []byte("2"), a))
		require.Equal(t, Result{Queued: 1}, h.Send("y", []byte("3")))
		synctest.Wait()
		require.Equal(t, []string{"1", "3"}, la.messages(t))
		require.Equal(t, []string{"1", "2"}, lb.messages(t))
		require.True(t, h.Leave("y", a))
		require.Equal(t, map[string]int{"x": 2}, rooms(h))
		h.Join("y", a)
		h.LeaveAll(a)
		require.Equal(t, map[string]int{"x": 1}, rooms(h))
		require.Equal(t, map[string]int{"x": 1}, rooms(other), "another hub is another hub's business")
		for range h.Rooms() {
			break
		}
		seen := h.Rooms()
		h.LeaveAll(b)
		require.Empty(t, maps.Collect(seen), "a room without members is none")
		h.Join("x", b)
		b.CloseNow(nil)
		a.CloseNow(nil)
		synctest.Wait()
		require.Empty(t, rooms(h))
		require.Empty(t, h.rooms, "the table is empty, too")
		require.Empty(t, other.rooms)
		require.False(t, h.Join("x", a), "it has closed")
		require.Empty(t, h.rooms)
	})
}

// Whatever sessions do at the same time, no room is lost, and none is left.
func TestRoomsWhileSessionsComeAndGo(t *testing.T) {
	h := NewHub(Options{})
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 100 {
				s := connected(t, newLink(false), nil)
				for range 10 {
					room := fmt.Sprint(rand.IntN(3))
					switch rand.IntN(5) {
					case 0, 1:
						h.Join(room, s)
					case 2:
						h.Leave(room, s)
					case 3:
						h.Send(room, []byte("m"))
					case 4:
						h.LeaveAll(s)
					}
				}
				if rand.IntN(2) == 0 {
					go s.CloseNow(nil)
					h.Join("late", s)
				} else {
					s.CloseNow(nil)
				}
			}
		})
	}
	work.Wait()
	testkit.Eventually(t, func() bool { return len(rooms(h)) == 0 }, "all rooms are empty")
	testkit.Eventually(t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.rooms) == 0
	}, "no room is left")
}

// A callback sends to the group of which its session is a member, on an event loop and off it, while others
// do, and while members end.
func TestCallbackThatSendsToItsOwnGroup(t *testing.T) {
	for _, onLoop := range []bool{true, false} {
		t.Run(fmt.Sprintf("on a loop: %v", onLoop), func(t *testing.T) {
			const members, each = 8, 200
			g := NewGroup(Options{})
			complete := make(chan struct{}) // closed when all are members
			var work sync.WaitGroup
			var all []*session.Session
			var links []*link
			for range members {
				l := newLink(false)
				s := newSession(t, false, func(c *session.Config) {
					c.Inline, c.WriteBuffer = true, session.Fixed(2*members*each)
					c.OnEvent = func(s *session.Session, ev session.Event) {
						if ev.Kind == session.Message {
							g.Send(ev.Payload) // lent, and used again when we return
						}
					}
				})
				g.Add(s)
				all, links = append(all, s), append(links, l)
			}
			for i, s := range all { // all are members now
				c := session.Drive(s).Attach(links[i], 0)
				work.Go(func() {
					c.Start(onLoop)
					<-complete
					for i := range each {
						payload := strings.Repeat("m", 1+i%2*shareLimitPlus)
						p := testkit.Frames(payload)
						_, _, err := c.Feed(p, onLoop)
						clear(p)
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			close(complete)
			work.Wait()
			for i, s := range all {
				require.NoError(t, s.Flush(testkit.Context(t)))
				require.Len(t, links[i].messages(t), members*each)
				require.True(t, slices.Equal(links[0].messages(t), links[i].messages(t)), "one order")
			}
			work.Go(func() {
				for range 100 {
					g.Send([]byte("m"))
				}
			})
			for _, s := range all {
				s.CloseNow(nil)
			}
			work.Wait()
			testkit.Eventually(t, func() bool { return g.Len() == 0 }, "all leave by themselves")
		})
	}
}

// Those that read nothing cost the others no goroutine of the group, and nothing is left when all is idle.
func TestGoroutinesWhileAndAfter(t *testing.T) {
	before := runtime.NumGoroutine()
	g := NewGroup(Options{})
	var all []*session.Session
	for range 500 {
		l := newLink(false)
		l.keep = false
		all = append(all, connected(t, l, nil))
		g.Add(all[len(all)-1])
	}
	most := 0
	for range 50 {
		g.Send([]byte("m"))
		most = max(most, runtime.NumGoroutine())
	}
	require.LessOrEqual(t, most, before+runtime.GOMAXPROCS(0)+5)
	testkit.Eventually(t, func() bool { return runtime.NumGoroutine() <= before }, "none is left")
	for _, s := range all {
		require.NoError(t, s.Flush(context.Background()))
		s.CloseNow(nil)
	}
}
