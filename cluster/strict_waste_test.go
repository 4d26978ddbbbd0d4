package cluster

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// longLease is one whose renewals do not come in the way of a test.
const longLease = 10 * time.Minute

// strictPair starts two nodes with long leases, that know each other.
func strictPair(t testing.TB) (places []*place, cables []*cable) {
	t.Helper()
	s := natsWithFiles(t)
	for _, name := range []string{"first", "second"} {
		p, c := startOn(t, s, Options{
			Name: name, Mailboxes: true, Replicas: 1, Strict: true, StrictLease: longLease,
			mailPoll: 100 * time.Millisecond,
		})
		places, cables = append(places, p), append(cables, c)
	}
	knows(t, 1, places...)
	return places, cables
}

// wasted is how many entries wait to be removed.
func (st *strict) wasted() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	return len(st.waste)
}

// Claims that have written nothing leave nothing to be removed, and there is a bound of what is left.
func TestStrictWasteIsBounded(t *testing.T) {
	nodes, cables := strictPair(t)
	n := nodes[0]
	s, other := n.local(t), n.local(t)
	_, err := n.Claim(within(t), "ada", s, Replace)
	require.NoError(t, err)
	cables[0].cut() // nothing is removed meanwhile
	for range 1000 {
		_, err = n.Claim(within(t), "ada", s, Replace)
		require.NoError(t, err)
		_, err = n.Claim(within(t), "ada", other, Refuse)
		require.ErrorIs(t, err, ErrClaimed)
	}
	require.Zero(t, n.strict.wasted())
	for range maxWaste + 1000 {
		n.strict.discard(waste{sequence: 1 << 40})
	}
	require.LessOrEqual(t, n.strict.wasted(), maxWaste)
}

// A claim that fails while its node is cut off leaves the session that it was to replace. One that may
// have written its entry over that of the older session closes it, and before it has closed, nobody has
// the name.
func TestStrictReplaceUnanswered(t *testing.T) {
	nodes, cables := strictPair(t)
	old, let := stuck(t)
	_, err := nodes[0].Claim(within(t), "ada", old, Replace)
	require.NoError(t, err)
	next, last := nodes[0].local(t), nodes[1].local(t)
	cables[0].cut()
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = nodes[0].Claim(short, "ada", next, Replace)
	require.ErrorIs(t, err, ErrNoMajority)
	require.NotNil(t, nodes[0].strict.holder("ada"), "nothing was written in its place")
	cables[0].mend()
	knows(t, 1, nodes...)
	st := nodes[1].strict
	late, sequence, err := st.owner(within(t), "ada")
	require.NoError(t, err)
	late.number++
	_, err = st.stream.put(within(t), st.stream.subject("ada"), late.append(nil), sequence)
	require.NoError(t, err)
	nodes[0].strict.abandon(&attempt{name: "ada", number: late.number, wrote: true, over: true})
	_, err = nodes[1].Claim(within(t), "ada", last, Refuse)
	require.ErrorIs(t, err, ErrClaimed)
	let()
	_, err = nodes[1].Claim(within(t), "ada", last, Replace)
	require.NoError(t, err)
	require.True(t, isDone(old))
	require.ErrorIs(t, context.Cause(old.Context()), ErrReplaced)
	eventually(t, func() bool { return nodes[0].entries(t) == 3 }, "the name and two leases")
}
