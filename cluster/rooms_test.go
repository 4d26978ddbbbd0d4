package cluster

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// A broadcast reaches the members on all nodes, in one order, once.
func TestBroadcast(t *testing.T) {
	nodes := startMany(t, 3)
	var clients []*netasync.Session
	for i, n := range nodes {
		for range 2 {
			client, accepted := n.session(t, netasync.ConnectOptions{})
			require.NoError(t, n.JoinAs("room/7", accepted, fmt.Sprint("member of ", i), "data"))
			clients = append(clients, client)
		}
	}
	for _, n := range nodes {
		eventually(t, func() bool { return len(slices.Collect(n.Members("room/7"))) == 6 }, "all are known")
	}
	for i := range 50 {
		r := nodes[i%3].Broadcast("room/7", fmt.Append(nil, i))
		require.Equal(t, 2, r.Nodes)
		require.Equal(t, 2, r.Queued)
		for _, c := range clients {
			require.Equal(t, fmt.Sprint(i), message(t, c))
		}
	}
	for i := range 100 { // one after the other, from one node
		nodes[0].Broadcast("room/7", fmt.Append(nil, i))
	}
	for _, c := range clients {
		for i := range 100 {
			require.Equal(t, fmt.Sprint(i), message(t, c))
		}
	}
	require.Zero(t, nodes[0].Broadcast("room/8", []byte("nobody")).Nodes)
}

// Who watches hears of each that comes and goes, on any node.
func TestWatch(t *testing.T) {
	nodes := startMany(t, 2)
	_, first := nodes[0].session(t, netasync.ConnectOptions{})
	require.NoError(t, nodes[0].JoinAs("room", first, "ada", "away"))
	ctx, cancel := context.WithCancel(within(t))
	watch := nodes[1].Watch(ctx, "room")
	p := <-watch
	require.Equal(t, []any{Joined, "ada", "away", "node 0", first.ID()}, []any{p.Kind, p.Name, p.Meta, p.Node, p.Session})

	_, second := nodes[1].session(t, netasync.ConnectOptions{})
	require.NoError(t, nodes[1].JoinAs("room", second, "bob", ""))
	require.Equal(t, "bob", (<-watch).Name)
	require.True(t, nodes[1].Leave("room", second))
	require.False(t, nodes[1].Leave("room", second))
	require.Equal(t, Left, (<-watch).Kind)
	require.NoError(t, nodes[0].Shutdown(within(t)))
	p = <-watch
	require.Equal(t, []any{Left, "ada"}, []any{p.Kind, p.Name})
	require.NoError(t, nodes[1].Join("room", second))
	second.CloseNow(nil)
	<-second.Done()
	for p := range watch { // joined and left, or neither if both were before it was looked at
		require.Equal(t, second.ID(), p.Session)
		if p.Kind == Left {
			break
		}
		cancel()
	}
	cancel()
	for range watch { // it is closed
	}
	require.Error(t, nodes[1].Join("room", second))
	require.Empty(t, slices.Collect(nodes[1].Members("room")))
}

// A broadcast says which nodes it did not go to.
func TestBroadcastMissed(t *testing.T) {
	nodes := startMany(t, 2)
	for _, n := range nodes {
		_, s := n.session(t, netasync.ConnectOptions{})
		require.NoError(t, n.Join("room", s))
	}
	for _, n := range nodes {
		eventually(t, func() bool { return len(slices.Collect(n.Members("room"))) == 2 }, "all are known")
	}
	r := nodes[0].Broadcast("room", []byte("hello"))
	require.NoError(t, r.Err)
	require.Empty(t, r.Missed)
	r = nodes[0].Broadcast("room", make([]byte, maxMessage))
	require.ErrorIs(t, r.Err, netasync.ErrFrameTooLarge)
	require.Equal(t, []string{"node 1"}, r.Missed)
	require.Zero(t, r.Nodes)
	require.NoError(t, nodes[0].Shutdown(within(t)))
	require.ErrorIs(t, nodes[0].Broadcast("room", []byte("late")).Err, ErrShutdown)
}

// A node that has as much as others take in takes no more, until something of it is gone.
func TestFull(t *testing.T) {
	p := start(t, Options{})
	_, s := p.session(t, netasync.ConnectOptions{})
	own := p.directory.nodes[p.id]
	p.directory.mu.Lock()
	own.bytes = maxEntries // as if they were there
	p.directory.mu.Unlock()
	c, err := p.Claim(within(t), "ada", s, Replace)
	require.NoError(t, err, "there is just room for it")
	_, err = p.Claim(within(t), "bob", s, Replace)
	require.ErrorIs(t, err, ErrFull)
	require.ErrorIs(t, p.JoinAs("room", s, "", ""), ErrFull)
	c.Release()
	require.NoError(t, p.Join("room", s))
	require.ErrorIs(t, p.Join("another", s), ErrFull)
}
