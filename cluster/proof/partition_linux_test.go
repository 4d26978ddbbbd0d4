package proof

import (
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// One node is cut off from the other two, and names are claimed at both sides. When the cut is mended, one
// session of each name is left, the same everywhere, and the others are closed with ErrReplaced.
func TestPartition(t *testing.T) {
	const names = 6
	w := newWorld(t, true)
	before := w.join("watched", "watched", false, 0).here()
	for _, p := range w.nodes {
		p.send("watched", often)
		w.reaches(p, "watched", time.Now(), before)
	}
	begin := time.Now()
	part(t, 0, true)
	var left figures
	for _, p := range w.others(0) {
		left.add(w.left(p, "watched", before, begin))
	}
	testkit.Eventually(t, func() bool { return len(w.nodes[0].ask(order{Do: "nodes"}, "nodes").Found) == 0 }, "node 0 is alone")

	sides := map[string][2]sessionID{}
	for i := range names {
		name := fmt.Sprint("both/", i)
		a := w.join(fmt.Sprint("a", i), name, false, 0)
		b := w.join(fmt.Sprint("b", i), name, false, 1+i%2)
		sides[name] = [2]sessionID{a.here(), b.here()}
		a.retire() // who is replaced does not come again
		b.retire()
		now := time.Now()
		for j, p := range w.nodes {
			p.send(name, 5*often)
			w.reaches(p, name, now, sides[name][min(j, 1)])
		}
	}

	mended := time.Now()
	part(t, 0, false)
	var closed figures
	found := w.whole()
	winners := map[string]sessionID{}
	for name, both := range sides {
		r := w.oneClosed(both)
		require.Equal(t, "replaced", r.Outcome, r.Text)
		closed.add(time.Unix(0, r.At).Sub(mended))
		winner := both[0]
		if r.Node == winner.node {
			winner = both[1]
		}
		winners[name] = winner
		for _, p := range w.nodes {
			w.reaches(p, name, time.Unix(0, r.At), winner)
		}
	}
	var want []string
	for name, at := range winners {
		want = append(want, fmt.Sprintf("%s@%s/%d", name, at.node, at.session))
	}
	sort.Strings(want)
	for _, p := range w.nodes {
		testkit.Eventually(t, func() bool {
			members := p.ask(order{Do: "members"}, "members").Found
			sort.Strings(members)
			return strings.HasPrefix(strings.Join(members, " "), strings.Join(want, " "))
		}, "%s knows of one session for each name", p.Name)
	}
	w.reaches(w.nodes[1], "watched", mended, before)
	w.hush()
	w.settled()
	w.books.check(t)
	t.Logf("the other side's members had left after %v", left)
	t.Logf("after the cut was mended all knew each other after %v, and the losers were closed after %v", found.Round(time.Millisecond), closed)
	assert.Less(t, left.max(), slack)
}

// oneClosed waits until one of two sessions has closed.
func (w *world) oneClosed(both [2]sessionID) report {
	w.t.Helper()
	var found []report
	testkit.Eventually(w.t, func() bool {
		found = w.books.find(closedOf, func(r report) bool {
			at := sessionID{r.Node, r.Session}
			return at == both[0] || at == both[1]
		})
		return len(found) > 0
	}, "one of %v is closed", both)
	require.Len(w.t, found, 1, "one of them stays")
	return found[0]
}
