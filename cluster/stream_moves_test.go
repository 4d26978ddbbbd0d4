package cluster

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// A name moves while its window is full: the next session gets what the first has not taken, and only
// that, in order. It moves from node to node, to the sender's own, and within a node.
func TestStreamFollows(t *testing.T) {
	nodes := startMany(t, 3)
	s := nodes[0].Session("ada")
	at := newSlow(t, nodes, 1, "ada")
	taken, sent := 0, at.fill(t, s, 0)
	for _, next := range []int{1, 2, 0, 0, 1} {
		to := newSlow(t, nodes, next, "ada")
		<-at.accepted.Done()
		require.ErrorIs(t, context.Cause(at.accepted.Context()), ErrReplaced)
		taken += int(at.accepted.Stats().Accepted)
		require.Less(t, taken, sent)
		to.read(t, taken, sent)
		require.NoError(t, s.Flush(within(t)))
		at, sent = to, to.fill(t, s, sent)
	}
}

// A name that is released while its window is full leaves messages that nobody has: they are counted. The
// session goes on without the name, and what it has taken arrives.
func TestStreamOfAReleasedName(t *testing.T) {
	nodes := startMany(t, 2)
	for at := range nodes {
		slow := newSlow(t, nodes, at, "ada")
		s := nodes[0].Session("ada")
		sent := slow.fill(t, s, 0)
		nodes[at].claim(entryID{kindName, "ada", slow.accepted.ID()}).Release()
		var undelivered *UndeliveredError
		require.ErrorAs(t, s.Flush(within(t)), &undelivered)
		require.ErrorIs(t, undelivered, ErrNoSession)
		require.Zero(t, undelivered.Unknown)
		require.Equal(t, sent, undelivered.NotQueued+int(slow.accepted.Stats().Accepted))
		slow.read(t, 0, sent-undelivered.NotQueued)

		_, err := nodes[at].Claim(within(t), "ada", slow.accepted, Replace)
		require.NoError(t, err)
		eventually(t, func() bool { return holds(nodes, "ada", nodes[at], slow.accepted) }, "it is known")
		require.NoError(t, s.Send(within(t), numbered(sent)))
		slow.read(t, sent, sent+1)
		slow.accepted.CloseNow(nil)
		eventually(t, func() bool { return nodes[0].Stats().Names == 0 }, "it is free")
	}
}

// When the session's node is gone, nobody knows of what was under way. When it is there again the stream
// goes on, and nothing comes behind what is sent then.
func TestStreamToADeadNode(t *testing.T) {
	nodes := startMany(t, 2)
	slow := newSlow(t, nodes, 1, "ada")
	s := nodes[0].Session("ada")
	sent := slow.fill(t, s, 0)
	nodes[0].forget(nodes[1].id, "was forgotten by the test")
	var undelivered *UndeliveredError
	require.ErrorAs(t, s.Flush(within(t)), &undelivered)
	require.ErrorIs(t, undelivered, ErrUnknownOutcome)
	require.ErrorIs(t, undelivered, errNodeGone)
	require.Zero(t, undelivered.NotQueued)
	require.Positive(t, undelivered.Unknown)
	require.Zero(t, nodes[0].Stats().Links)

	eventually(t, func() bool { return holds(nodes, "ada", nodes[1], slow.accepted) }, "it is there again")
	require.NoError(t, s.Send(within(t), numbered(sent)))
	last, arrived := -1, 0
	for payload, err := range slow.client.Messages(within(t)) {
		require.NoError(t, err)
		number := numberOf(t, payload)
		require.Greater(t, number, last, "in order, and once")
		arrived++
		if last = number; last == sent {
			break
		}
	}
	require.NoError(t, s.Flush(within(t)))
	require.GreaterOrEqual(t, arrived, sent+1-undelivered.Unknown)
	require.LessOrEqual(t, arrived, sent+1)
}

// The connections between the nodes break again and again: nothing is lost, and nothing comes twice.
func TestStreamOverABadNetwork(t *testing.T) {
	nodes := startMany(t, 2)
	client, _ := claimed(t, nodes, 1, "ada")
	g, _ := nodes[0].directory.node(nodes[1].id)
	cutter := testkit.NewCutter(t, g.relay, 200_000)
	nodes[1].directory.mu.Lock()
	nodes[1].directory.nodes[nodes[1].id].relay = cutter.Addr
	nodes[1].directory.mu.Unlock()
	eventually(t, func() bool {
		g, _ := nodes[0].directory.node(nodes[1].id)
		return g.relay == cutter.Addr
	}, "it is told")
	const count = 3000
	s := nodes[0].Session("ada")
	go func() {
		for i := range count {
			if err := s.Send(context.Background(), append(numbered(i)[:100:100], make([]byte, 100)...)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for i := range count {
		require.Equal(t, i, numberOf(t, []byte(message(t, client))))
	}
	cutter.Calm()
	require.NoError(t, s.Flush(within(t)))
	require.Greater(t, cutter.Cuts.Load(), int64(2))
	require.NoError(t, nodes[0].Shutdown(within(t))) // the proxy waits for its connections
}

// A node that ends says of all streams how far they are: what it has not taken goes elsewhere.
func TestStreamToANodeThatEnds(t *testing.T) {
	nodes := startMany(t, 3)
	at := newSlow(t, nodes, 1, "ada")
	s := nodes[0].Session("ada")
	sent := at.fill(t, s, 0)
	require.NoError(t, nodes[1].Shutdown(within(t)))
	var undelivered *UndeliveredError
	require.ErrorAs(t, s.Flush(within(t)), &undelivered)
	require.ErrorIs(t, undelivered, ErrNoSession)
	require.Zero(t, undelivered.Unknown, "it has said so")
	require.Equal(t, sent, undelivered.NotQueued+int(at.accepted.Stats().Accepted))
	eventually(t, func() bool { return nodes[0].Stats().Links == 0 }, "the link has ended")
}

// Links without streams end, and so do streams without messages. What is sent then begins anew.
func TestStreamsEndWhenIdle(t *testing.T) {
	nodes := startMany(t, 2)
	client, _ := claimed(t, nodes, 1, "ada")
	s := nodes[0].Session("ada")
	for range 2 {
		require.NoError(t, s.Send(within(t), []byte("hello")))
		require.Equal(t, "hello", message(t, client))
		require.NoError(t, s.Flush(within(t)))
		out, _ := nodes[0].links.all()
		require.Len(t, out, 1)
		eventually(t, func() bool {
			out[0].look(false)
			return nodes[0].Stats().Links == 0 && nodes[1].Stats().StreamsIn == 0
		}, "it has ended")
		eventually(t, func() bool { return nodes[1].Stats().LinksIn == 0 }, "at both ends")
	}
}
