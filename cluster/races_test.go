package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// holds reports whether all nodes say that a session has a name.
func holds(nodes []*place, name string, at *place, s *netasync.Session) bool {
	return !slices.ContainsFunc(nodes, func(n *place) bool {
		n.directory.mu.Lock()
		defer n.directory.mu.Unlock()
		h, held := n.directory.holderLocked(name)
		return !held || h.node != at.id || h.session != s.ID() || len(n.directory.names[name]) != 1
	})
}

// lives reports whether a session has not ended. If it has, it was replaced.
func lives(t testing.TB, s *netasync.Session) bool {
	t.Helper()
	if s.Context().Err() != nil {
		require.ErrorIs(t, context.Cause(s.Context()), ErrReplaced)
		return false
	}
	return true
}

// Of sessions that claim a name at once, on several nodes, one is left, and all nodes say which.
func TestClaimsAtOnce(t *testing.T) {
	nodes := startMany(t, 3)
	for round, mode := range []Mode{Replace, Refuse, Replace, Refuse} {
		name := fmt.Sprint("name ", round)
		sessions := make([]*netasync.Session, len(nodes))
		for i, n := range nodes {
			sessions[i] = n.local(t)
		}
		var all sync.WaitGroup
		for i, n := range nodes {
			all.Go(func() {
				if _, err := n.Claim(within(t), name, sessions[i], mode); err != nil {
					require.ErrorIs(t, err, ErrClaimed)
					sessions[i].CloseNow(ErrReplaced) // as if it had lost later
				}
			})
		}
		all.Wait()
		eventually(t, func() bool {
			left := 0
			for i, s := range sessions {
				if lives(t, s) {
					left++
					if !holds(nodes, name, nodes[i], s) {
						return false
					}
				}
			}
			return left == 1
		}, "one is left, and known by all")
	}
}

// Whatever many goroutines do at once, nothing is left when the sessions have closed.
func TestClaimAndJoinRaces(t *testing.T) {
	n := start(t, Options{})
	for range 3 {
		sessions := []*netasync.Session{n.local(t), n.local(t), n.local(t)}
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				s := sessions[i%3]
				for j := range 200 {
					name := fmt.Sprint(i/3%2, j%20)
					if c, err := n.Claim(within(t), name, s, Mode(j%7/6)); err == nil && j%3 == 0 {
						c.Release()
						c.Release()
					}
					_ = n.JoinAs(name, s, "", fmt.Sprint(j%2))
					if j%3 == 0 {
						n.Leave(name, s)
					}
					if j == 100+i {
						s.CloseNow(nil)
					}
				}
			})
		}
		all.Wait()
		eventually(t, func() bool {
			n.mu.Lock()
			defer n.mu.Unlock()
			s := n.Stats()
			return len(n.claims) == 0 && len(n.joined) == 0 && s.Names == 0 && s.Members == 0
		}, "nothing is left")
		require.Zero(t, n.Broadcast("00", []byte("hello")).Queued)
	}
}

// A session has several names; a claim that was replaced, and is released, leaves the one that is there.
func TestClaimsOfOneNode(t *testing.T) {
	n := start(t, Options{})
	first, second := n.local(t), n.local(t)
	a, err := n.Claim(within(t), "a", first, Replace)
	require.NoError(t, err)
	again, err := n.Claim(within(t), "a", first, Refuse)
	require.NoError(t, err)
	require.Same(t, a, again)
	_, err = n.Claim(within(t), "b", first, Replace)
	require.NoError(t, err)
	_, err = n.Claim(within(t), "a", second, Refuse)
	require.ErrorIs(t, err, ErrClaimed)
	require.Equal(t, 2, n.Stats().OwnNames)

	_, err = n.Claim(within(t), "a", second, Replace)
	require.NoError(t, err)
	<-first.Done()
	require.False(t, lives(t, first))
	a.Release()
	require.NoError(t, n.Send(within(t), "a", []byte("for the second")))
	eventually(t, func() bool { return n.Stats().OwnNames == 1 }, "b ends with its session")
	c, err := n.Claim(within(t), "c", second, Replace)
	require.NoError(t, err)
	c.stop() // as if it had not heard yet that the session ends
	second.CloseNow(nil)
	_, err = n.Claim(within(t), "c", second, Replace)
	require.ErrorIs(t, err, netasync.ErrClosed)
	_, err = n.Claim(within(t), "", second, Replace)
	require.Error(t, err)
	_, err = n.Claim(within(t), "d", second, Refuse+1)
	require.Error(t, err)
}

// Each part of a cluster goes on alone; when they find each other, the later claim is left.
func TestPartition(t *testing.T) {
	server := natsServer(t, -1)
	a, _ := startOn(t, server, Options{Name: "a"})
	b, cable := startOn(t, server, Options{Name: "b"})
	nodes := []*place{a, b}
	knows(t, 1, a, b)
	member := b.local(t)
	require.NoError(t, b.Join("room", member))
	watch := a.Watch(within(t), "room")
	require.Equal(t, Joined, (<-watch).Kind)
	require.NoError(t, b.Health())

	cable.cut()
	begin := time.Now()
	require.Equal(t, Left, (<-watch).Kind)
	t.Logf("Left after %v", time.Since(begin))
	require.Less(t, time.Since(begin), 8*time.Second, "4 s where the machine is not busy")
	require.ErrorIs(t, b.Health(), ErrNotConnected)
	knows(t, 0, a, b)
	early, late := a.local(t), b.local(t)
	_, err := a.Claim(within(t), "ada", early, Replace)
	require.NoError(t, err)
	_, err = b.Claim(within(t), "ada", late, Replace)
	require.NoError(t, err)
	for range 100 { // which does not count
		_, err = a.Claim(within(t), "bob", early, Replace)
		require.NoError(t, err)
	}
	require.NoError(t, a.Send(within(t), "ada", []byte("both live")))
	require.NoError(t, b.Send(within(t), "ada", []byte("both live")))

	cable.mend()
	knows(t, 1, a, b)
	eventually(t, func() bool { return holds(nodes, "ada", b, late) && !lives(t, early) }, "the later one is left")
	require.True(t, lives(t, late))
	require.Equal(t, Joined, (<-watch).Kind)
	require.NoError(t, a.Send(within(t), "ada", []byte("hello")))
}
