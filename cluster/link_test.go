package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// theLink returns the link to another node.
func theLink(t testing.TB, from, to *place) *link {
	t.Helper()
	k, err := from.links.linkTo(to.id)
	require.NoError(t, err)
	return k
}

// A link that had no streams when that was looked at has one when it is to end: it goes on.
func TestIdleLinkGetsAStream(t *testing.T) {
	nodes := startMany(t, 2)
	slow := newSlow(t, nodes, 1, "ada")
	k := theLink(t, nodes[0], nodes[1])
	k.look(false)
	s := nodes[0].Session("ada")
	sent := slow.fill(t, s, 0)
	k.end(errIdle)
	slow.read(t, 0, sent)
	require.NoError(t, s.Flush(within(t)))
	require.Same(t, k, theLink(t, nodes[0], nodes[1]))
}

// A link has ended, and is there still: messages go by another one, at once.
func TestSendWhenALinkHasEnded(t *testing.T) {
	nodes := startMany(t, 2)
	client, _ := claimed(t, nodes, 1, "ada")
	k := theLink(t, nodes[0], nodes[1])
	k.mu.Lock()
	k.ended = true // as end begins
	k.mu.Unlock()
	defer k.end(errIdle)
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.ended = false
	}()
	s := nodes[0].Session("ada")
	require.NoError(t, s.Send(within(t), []byte("hello")))
	require.Equal(t, "hello", message(t, client))
	require.NoError(t, s.Flush(within(t)))
	require.NotSame(t, k, theLink(t, nodes[0], nodes[1]))
}
