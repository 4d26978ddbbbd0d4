package broadcast

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/session"
)

// Of one group, and of what waits for the others of a session, nothing is replaced by another.
func TestLatestReplacesItsOwnOnly(t *testing.T) {
	for _, size := range []int{0, shareLimitPlus} {
		synctest.Test(t, func(t *testing.T) {
			pad := string(bytes.Repeat([]byte{'.'}, size))
			a, b := NewGroup(Options{Slow: Latest}), NewGroup(Options{Slow: Latest})
			plain := NewGroup(Options{})
			l := newLink(true)
			s := connected(t, l, buffer(6))
			for _, g := range []*Group{a, b, plain} {
				g.Add(s)
			}
			require.NoError(t, s.TrySend([]byte("begun")))
			synctest.Wait()
			a.Send([]byte("a1" + pad))
			plain.Send([]byte("p1" + pad))
			b.Send([]byte("b1" + pad))
			a.Send([]byte("a2" + pad))
			require.NoError(t, s.TrySend([]byte("mine")))
			require.Equal(t, Result{Slow: 1}, a.Send([]byte("a3"+pad)))
			require.Equal(t, Result{Queued: 1}, b.Send([]byte("b2"+pad)), "that made room")
			require.Equal(t, Result{Slow: 1}, b.Send([]byte("b3"+pad)))
			require.ErrorIs(t, nil, s.TrySend([]byte("room")))
			require.Equal(t, Result{Slow: 1}, plain.Send([]byte("p2"+pad)))
			require.Equal(t, Result{Slow: 1}, a.Send([]byte("a4"+pad)))
			l.open()
			synctest.Wait()
			require.Equal(t, []string{"begun", "p1" + pad, "mine", "b3" + pad, "room", "a4" + pad}, l.messages(t))
			s.CloseNow(nil)
		})
	}
}

// A group of which all waits to be written still gets its last state through.
func TestLatestAlwaysArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, l := NewGroup(Options{Slow: Latest}), newLink(false)
		s := newSession(t, true, buffer(3))
		g.Add(s)
		for i := range 3 {
			g.Send(fmt.Appendf(nil, "old %d", i))
		}
		require.True(t, session.Drive(s).Dialing())
		l.shut = true
		require.NotNil(t, session.Drive(s).Attach(l, 0))
		synctest.Wait() // all three are being written
		for i := range 10 {
			require.Equal(t, Result{Slow: 1}, g.Send(fmt.Appendf(nil, "new %d", i)))
		}
		l.open()
		synctest.Wait()
		require.Equal(t, []string{"old 0", "old 1", "old 2", "new 9"}, l.messages(t))
		s.CloseNow(nil)
	})
}

// A member that reads nothing, and comes and goes, has no more waiting each time: all that is sent to it in
// the meantime takes the place of what waits of its former memberships. Of each present one the last message
// arrives.
func TestLatestOfAMemberThatComesAndGoes(t *testing.T) {
	const buffered, rounds = 4, 200
	synctest.Test(t, func(t *testing.T) {
		g, other, l := NewGroup(Options{Slow: Latest}), NewGroup(Options{Slow: Latest}), newLink(true)
		s := connected(t, l, buffer(buffered))
		other.Add(s)
		for i := range buffered {
			require.NoError(t, s.TrySend(fmt.Append(nil, i)))
			synctest.Wait()
		}
		other.Send([]byte("of the other"))
		for i := range rounds {
			require.True(t, g.Add(s))
			require.Equal(t, Result{Slow: 1}, g.Send(fmt.Appendf(nil, "state %d", i)))
			require.LessOrEqual(t, s.Stats().Queued, buffered+2, "one more for each group")
			require.True(t, i == rounds-1 || g.Remove(s))
		}
		l.open()
		synctest.Wait()
		require.Equal(t, []string{"0", "1", "2", "3", "of the other", fmt.Sprint("state ", rounds-1)}, l.messages(t))
		st := s.Stats()
		require.EqualValues(t, st.Accepted, st.Sent+st.Dropped)
		s.CloseNow(nil)
	})
}
