package cluster

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A node whose connection the embedded server has ended, as after it was stopped for a while, comes back.
func TestConnectionComesBack(t *testing.T) {
	nodes := startMany(t, 2)
	_, err := nodes[1].Claim(within(t), "ada", nodes[1].local(t), Replace)
	require.NoError(t, err)
	eventually(t, func() bool { return nodes[0].Stats().Names == 1 }, "it is known")
	reconnects := nodes[0].nats.Stats().Reconnects
	for range 3 {
		id, err := nodes[0].nats.GetClientID()
		require.NoError(t, err)
		require.NoError(t, nodes[0].server.DisconnectClientByID(id))
		reconnects++
		eventually(t, func() bool { return nodes[0].nats.Stats().Reconnects >= reconnects && nodes[0].Health() == nil }, "it is back")
		require.NoError(t, nodes[0].Send(within(t), "ada", []byte("hello")))
	}
	_, err = nodes[0].Claim(within(t), "bob", nodes[0].local(t), Replace)
	require.NoError(t, err)
	eventually(t, func() bool { return nodes[1].Send(within(t), "bob", []byte("hello")) == nil }, "and is heard")
}

// What a node has no room for is counted, and learned later.
func TestSlowConsumer(t *testing.T) {
	server := natsServer(t, -1)
	a, _ := startOn(t, server, Options{Name: "a"})
	b, _ := startOn(t, server, Options{Name: "b"})
	knows(t, 1, a, b)
	nc := natsConn(t, server, &cable{})
	session := b.local(t)
	b.directory.mu.Lock() // it hears nothing
	for range inbound + 1000 {
		require.NoError(t, nc.Publish(b.toAll(), (&digest{node: 99, name: "c"}).append(nil)))
	}
	require.NoError(t, nc.Flush())
	require.NoError(t, a.Join("room", a.local(t)))
	_, err := a.Claim(within(t), "ada", a.local(t), Replace)
	require.NoError(t, err)
	eventually(t, func() bool {
		dropped := 0
		for _, sub := range b.subs {
			n, _ := sub.Dropped()
			dropped += n
		}
		return dropped > 0
	}, "there is no room")
	b.directory.mu.Unlock()
	require.Positive(t, b.Stats().Dropped)
	eventually(t, func() bool { return b.Stats().Names == 1 && b.Stats().Members == 1 }, "it is learned")
	require.NoError(t, b.Join("room", session))
	eventually(t, func() bool { return len(slices.Collect(a.Members("room"))) == 2 }, "both know")
	require.Equal(t, Stats{Nodes: 1, Names: 1, OwnNames: 1, Members: 2, OwnMembers: 1, Connected: true, Syncs: a.Stats().Syncs,
		Dropped: a.Stats().Dropped}, withoutDeaf(a.Stats()))
}

// withoutDeaf leaves out the node that only the test has made up.
func withoutDeaf(s Stats) Stats {
	s.Nodes = min(s.Nodes, 1)
	return s
}

// All entries of a node are taken in only if no part of them is missing, of one time and of one node.
func TestPagesInOrder(t *testing.T) {
	entries := make([]entry, 100)
	for i := range entries {
		entries[i] = entry{kind: kindMember, key: "room", session: uint64(i), meta: string(make([]byte, maxMeta))}
	}
	messages := paged(7, 500, entries)
	require.Greater(t, len(messages), 5)
	take := func(messages ...[]byte) (p pages, last bool, err error) {
		p.node = 7
		for _, m := range messages {
			if last, err = p.add(m); err != nil {
				break
			}
		}
		return p, last, err
	}
	p, last, err := take(messages...)
	require.NoError(t, err)
	require.True(t, last)
	require.Equal(t, entries, p.entries)
	require.Equal(t, uint64(500), p.changes)
	for i := range messages[1:] {
		_, _, err = take(slices.Delete(slices.Clone(messages), i, i+1)...)
		require.ErrorIs(t, err, errMalformed, "part %d is missing", i)
	}
	_, _, err = take(messages[0], (&page{node: 7, changes: 501, from: uint64(len(entries))}).append(nil))
	require.ErrorIs(t, err, errMalformed, "of another time")
	_, _, err = take((&page{node: 8}).append(nil))
	require.ErrorIs(t, err, errMalformed, "of another node")
	_, last, err = take(paged(7, 0, nil)...)
	require.NoError(t, err)
	require.True(t, last, "there are none")
}
