package cluster

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// A node on its own needs no port, and no other node.
func TestSingleNode(t *testing.T) {
	p := start(t, Options{})
	require.Empty(t, p.Addr())
	client, accepted := p.session(t, netasync.ConnectOptions{})
	require.ErrorIs(t, p.Send(within(t), "ada", []byte("hello")), ErrNoSession)
	_, err := p.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	require.NoError(t, p.Send(within(t), "ada", []byte("hello")))
	require.Equal(t, "hello", message(t, client))
}

// What is sent to a name reaches its session from each node, in order.
func TestSendFromEveryNode(t *testing.T) {
	nodes := startMany(t, 3)
	client, accepted := nodes[1].session(t, netasync.ConnectOptions{})
	claim, err := nodes[1].Claim(within(t), "user/42", accepted, Replace)
	require.NoError(t, err)
	for i, n := range nodes {
		eventually(t, func() bool { _, held := n.directory.holder("user/42"); return held }, "each has heard of it")
		for j := range 100 {
			require.NoError(t, n.Send(within(t), "user/42", fmt.Appendf(nil, "%d.%d", i, j)))
			require.Equal(t, fmt.Sprintf("%d.%d", i, j), message(t, client))
		}
	}
	claim.Release()
	for _, n := range nodes {
		eventually(t, func() bool { return n.Send(within(t), "user/42", []byte("late")) != nil }, "it has no name any more")
		require.ErrorIs(t, n.Send(within(t), "user/42", []byte("late")), ErrNoSession)
	}
}

// The later claim wins, wherever it is made, and the other session hears why it ends.
func TestClaimReplaces(t *testing.T) {
	nodes := startMany(t, 2)
	_, first := nodes[0].session(t, netasync.ConnectOptions{})
	_, err := nodes[0].Claim(within(t), "ada", first, Replace)
	require.NoError(t, err)
	eventually(t, func() bool { _, held := nodes[1].directory.holder("ada"); return held }, "the other node knows")

	_, other := nodes[1].session(t, netasync.ConnectOptions{})
	_, err = nodes[1].Claim(within(t), "ada", other, Refuse)
	require.ErrorIs(t, err, ErrClaimed)
	client, second := nodes[1].session(t, netasync.ConnectOptions{})
	_, err = nodes[1].Claim(within(t), "ada", second, Replace)
	require.NoError(t, err)
	<-first.Done()
	var closed netasync.Event
	for ev := range first.ReadChan() {
		closed = ev
	}
	require.ErrorIs(t, closed.Err, ErrReplaced)
	for _, n := range nodes {
		eventually(t, func() bool { return n.Send(within(t), "ada", []byte("hello")) == nil }, "the second has it")
		require.Equal(t, "hello", message(t, client))
	}
}

// A session that has closed has no name.
func TestClaimEndsWithItsSession(t *testing.T) {
	nodes := startMany(t, 2)
	client, accepted := nodes[0].session(t, netasync.ConnectOptions{})
	_, err := nodes[0].Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	require.NoError(t, client.Close())
	require.NoError(t, accepted.Close())
	<-accepted.Done()
	for _, n := range nodes {
		eventually(t, func() bool { return n.Send(within(t), "ada", []byte("late")) != nil }, "it is gone")
		require.ErrorIs(t, n.Send(within(t), "ada", []byte("late")), ErrNoSession)
	}
	_, err = nodes[0].Claim(within(t), "ada", accepted, Replace)
	require.ErrorIs(t, err, netasync.ErrClosed)
	eventually(t, func() bool { nodes[0].mu.Lock(); defer nodes[0].mu.Unlock(); return len(nodes[0].claims) == 0 }, "nothing is kept")
}

// What a node that ends had is gone at once, and what one that comes later must know it learns.
func TestNodesComeAndGo(t *testing.T) {
	nodes := startMany(t, 2)
	_, accepted := nodes[0].session(t, netasync.ConnectOptions{})
	for i := range 5000 {
		_, err := nodes[0].Claim(within(t), fmt.Sprint("name ", i), accepted, Replace)
		require.NoError(t, err)
	}
	late := start(t, Options{Listen: "127.0.0.1:0", Secret: secret, Peers: []string{nodes[1].Addr()}})
	for _, n := range []*place{nodes[1], late} {
		eventually(t, func() bool {
			return n.directory.size() == 5000
		}, "all names are known")
	}
	require.NoError(t, nodes[0].Shutdown(within(t)))
	eventually(t, func() bool { return len(late.Nodes()) == 1 && late.directory.size() == 0 }, "it is forgotten")
}
