package broadcast

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// policies are all that Slow may be.
var policies = map[string]Slow{"Drop": Drop, "Close": Close, "Latest": Latest}

// sum is how many members a result accounts for.
func (r Result) sum() int { return r.Queued + r.Slow + r.Closed + r.Refused }

func TestZeroOptionsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, l := NewGroup(Options{}), newLink(false)
		s := connected(t, l, nil)
		require.Equal(t, Result{}, g.Send([]byte("to nobody")))
		require.True(t, g.Add(s))
		require.False(t, g.Add(s), "it is a member")
		require.True(t, g.Has(s))
		require.Equal(t, []*session.Session{s}, slices.Collect(g.All()))
		require.Equal(t, Result{Queued: 1}, g.Send([]byte("a")))
		require.Equal(t, Result{}, g.SendExcept([]byte("b"), s))
		require.True(t, g.Remove(s))
		require.False(t, g.Remove(s))
		require.Equal(t, Result{}, g.Send([]byte("c")))
		require.True(t, g.Add(s))
		g.Close()
		g.Close()
		require.False(t, g.Add(s), "the group is closed")
		require.Zero(t, g.Len())
		require.Equal(t, Result{}, g.Send([]byte("d")))
		require.Equal(t, session.StateConnected, s.State(), "members live on")
		require.Empty(t, session.Drive(s).Groups(), "and do not keep the group in memory")
		synctest.Wait()
		require.Equal(t, []string{"a"}, l.messages(t))
		s.CloseNow(nil)
	})
}

func TestOptionsOutOfRange(t *testing.T) {
	require.PanicsWithValue(t, "netasync: broadcast.Options.Slow is 3, want 0 to 2", func() { NewGroup(Options{Slow: 3}) })
	require.Panics(t, func() { NewHub(Options{Slow: 3}) })
}

// All that a group sends comes to all its members in the same order, whoever sends and whoever comes and
// goes meanwhile: each has, without a gap, what was sent while it was a member.
func TestSameOrderAtAThousandMembersThatComeAndGo(t *testing.T) {
	const members, senders, each = 1000, 4, 12
	g := NewGroup(Options{})
	links, all := make([]*link, members), make([]*session.Session, members)
	for i := range all {
		links[i] = newLink(false)
		all[i] = connected(t, links[i], buffer(senders*each))
		require.True(t, g.Add(all[i]))
	}
	var work sync.WaitGroup
	for n := range senders {
		work.Go(func() {
			for i := range each {
				size := []int{1, 100, shareLimitPlus, 2000}[i%4]
				payload := append(fmt.Appendf(nil, "%d/%d ", n, i), bytes.Repeat([]byte{'x'}, size)...)
				r := g.Send(payload)
				clear(payload) // it is ours again
				if r.Slow+r.Refused > 0 {
					t.Errorf("%+v", r)
				}
			}
		})
	}
	stays := members / 2 // the others come, go and end
	for n := range 2 {
		work.Go(func() {
			for i := stays + n; i < members; i += 2 {
				switch rand.IntN(3) {
				case 0:
					g.Remove(all[i])
				case 1:
					g.Remove(all[i])
					g.Add(all[i])
				case 2:
					all[i].CloseNow(nil)
				}
			}
		})
	}
	work.Wait()
	want := senders * each
	testkit.Eventually(t, func() bool {
		for i := range stays {
			if all[i].Stats().Sent < uint64(want) {
				return false
			}
		}
		return true
	}, "all is sent")
	order := links[0].messages(t)
	require.Len(t, order, want)
	place := make(map[string]int, want)
	for i, m := range order {
		place[m] = i
	}
	for i, l := range links {
		got := l.messages(t)
		if i < stays {
			require.Equal(t, order, got)
			continue
		}
		last, gaps := -1, 0
		for _, m := range got {
			require.Greater(t, place[m], last, "member %d", i)
			if place[m] != last+1 {
				gaps++
			}
			last = place[m]
		}
		require.LessOrEqual(t, gaps, 2, "it was away once, and came late")
	}
	for _, s := range all {
		s.CloseNow(nil)
	}
	testkit.Eventually(t, func() bool { return g.Len() == 0 }, "members leave by themselves")
}

const shareLimitPlus = 600

// What becomes of a message for a member that reads nothing is exactly what Slow says; the others get all
// messages at once, and the sender does not wait.
func TestMemberThatReadsNothing(t *testing.T) {
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const room, sent = 4, 20
				var told []*session.Session
				var g *Group
				g = NewGroup(Options{Slow: policy, OnSlow: func(s *session.Session) {
					told = append(told, s)
					g.Has(s) // no lock is held
				}})
				reads, stuck := newLink(false), newLink(true)
				good, bad := connected(t, reads, buffer(2*sent)), connected(t, stuck, buffer(room))
				g.Add(good)
				g.Add(bad)
				var want []string
				for i := range sent {
					want = append(want, fmt.Sprint(i))
					members := g.Len()
					r := g.Send([]byte(want[i]))
					require.Equal(t, members, r.sum())
					synctest.Wait()
					require.Equal(t, want, reads.messages(t))
					if i < room {
						require.Equal(t, Result{Queued: 2}, r)
						continue
					}
					require.Equal(t, []*session.Session{bad}, told, "once, until it has room")
					if policy != Close || i == room {
						require.Equal(t, Result{Queued: 1, Slow: 1}, r)
						require.LessOrEqual(t, stuck.writes, 2, "nobody tries to write what the link does not take")
					}
				}
				switch policy {
				case Close:
					require.Equal(t, 1, g.Len())
					require.ErrorIs(t, closedBy(t, bad), ErrSlow)
				case Drop:
					stuck.open()
					synctest.Wait()
					require.Equal(t, want[:room], stuck.messages(t))
					require.Equal(t, Result{Queued: 2}, g.Send([]byte("room again")))
					synctest.Wait()
					require.Equal(t, append(want[:room], "room again"), stuck.messages(t))
				case Latest:
					stuck.open()
					synctest.Wait()
					require.Equal(t, append(want[:1], want[sent-1]), stuck.messages(t), "what was begun, and the last")
					st := bad.Stats()
					require.EqualValues(t, sent-2, st.Dropped)
					require.EqualValues(t, sent, st.Accepted)
				}
				good.CloseNow(nil)
				bad.CloseNow(nil)
			})
		})
	}
}

func closedBy(t *testing.T, s *session.Session) error {
	for {
		ev, err := s.Recv(t.Context())
		require.NoError(t, err)
		if ev.Kind == session.Closed {
			return ev.Err
		}
	}
}

// OnSlow is called again when there was room meanwhile, and may do anything, be it to remove the member.
func TestOnSlowOnceUntilThereIsRoom(t *testing.T) {
	for name, policy := range map[string]Slow{"Drop": Drop, "Latest": Latest} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told := 0
				var g *Group
				g = NewGroup(Options{Slow: policy, OnSlow: func(s *session.Session) {
					if told++; told == 3 {
						g.Remove(s)
						g.Send([]byte("from OnSlow"))
					}
				}})
				for round := range 3 {
					l := newLink(true)
					s := connected(t, l, buffer(2))
					g.Add(s)
					for range 10 {
						g.Send([]byte("m"))
						synctest.Wait()
					}
					require.Equal(t, round+1, told)
					g.Remove(s)
					s.CloseNow(nil)
				}
				l := newLink(true)
				s := connected(t, l, buffer(2))
				g.Add(s)
				for i := range 3 {
					for range 10 {
						g.Send([]byte("m"))
						synctest.Wait()
					}
					require.Equal(t, 3+i+1, told)
					l.open()
					synctest.Wait()
					require.Equal(t, Result{Queued: 1}, g.Send([]byte("m")))
					synctest.Wait()
					l.mu.Lock()
					l.shut = true
					l.mu.Unlock()
				}
				l.open()
				s.CloseNow(nil)
			})
		})
	}
}

// What cannot be sent to a member is refused, and is not its fault: nobody is closed for it.
func TestRefusedMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGroup(Options{Slow: Close, OnSlow: func(*session.Session) { t.Error("nobody is slow") }})
		small := connected(t, newLink(false), func(c *session.Config) { c.MaxPayload = 10 })
		large := connected(t, newLink(false), nil)
		down := newSession(t, true, func(c *session.Config) { c.WhileDown = session.Refuse })
		waits := newSession(t, true, nil)
		closing := connected(t, newLink(true), nil)
		for _, s := range []*session.Session{small, large, down, waits, closing} {
			require.True(t, g.Add(s))
		}
		require.NoError(t, closing.TrySend([]byte("to be flushed")))
		synctest.Wait()
		require.NoError(t, closing.Close())
		require.Equal(t, Result{Refused: 4, Closed: 1}, g.Send(nil))
		require.Equal(t, Result{Queued: 2, Refused: 2, Closed: 1}, g.Send(make([]byte, 11)))
		require.Equal(t, Result{Queued: 3, Refused: 1, Closed: 1}, g.Send(make([]byte, 10)))
		for _, s := range []*session.Session{small, large, down, waits, closing} {
			s.CloseNow(nil)
			require.False(t, g.Add(s), "it has closed")
		}
		synctest.Wait()
		require.Zero(t, g.Len())
	})
}
