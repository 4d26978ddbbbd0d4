package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A session has given its name back and claimed it again when the owner says the last word of its streams:
// they go on to the same session, by the later claim.
func TestStreamOfANameClaimedAgain(t *testing.T) {
	nodes := startMany(t, 2)
	for at, n := range nodes {
		slow := newSlow(t, nodes, at, "ada")
		s := nodes[0].Session("ada")
		for from, sent := 0, 0; sent < 100; from = sent {
			sent = slow.fill(t, s, from)
			require.True(t, n.directory.claim("ada", slow.accepted.ID(), false, time.Now()))
			n.links.released(entryID{kindName, "ada", slow.accepted.ID()})
			slow.read(t, from, sent)
			require.NoError(t, s.Flush(within(t)), "at node %d", at)
		}
	}
}
