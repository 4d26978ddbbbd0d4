package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// longLease is one whose renewals do not come in the way of a test.
const longLease = 10 * time.Minute

// strictLong starts nodes with long leases, that know each other.
func strictLong(t testing.TB, count int) (places []*place, cables []*cable) {
	t.Helper()
	s := natsWithFiles(t)
	for i := range count {
		p, c := startOn(t, s, Options{
			Name: fmt.Sprint("node ", i), Mailboxes: true, Replicas: 1, Strict: true, StrictLease: longLease,
			mailPoll: 100 * time.Millisecond,
		})
		places, cables = append(places, p), append(cables, c)
	}
	knows(t, count-1, places...)
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
	nodes, cables := strictLong(t, 2)
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
	nodes, cables := strictLong(t, 2)
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

// When the stream is gone, it is made again, whatever is to be removed then, and names can be claimed.
func TestStrictStreamIsGone(t *testing.T) {
	nodes, _ := strictNodes(t, 1)
	n := nodes[0]
	s := n.local(t)
	c, err := n.Claim(within(t), "ada", s, Replace)
	require.NoError(t, err)
	require.NoError(t, n.strict.stream.ask(within(t), "STREAM.DELETE."+n.strict.stream.name, nil, nil))
	c.Release()
	n.strict.discard(waste{name: "ada", number: 1})
	n.strict.discard(waste{sequence: 1})
	eventually(t, func() bool { return n.strict.wasted() == 0 && len(n.strict.removed) == 0 }, "all was looked at")
	_, err = n.Claim(within(t), "ada", n.local(t), Refuse)
	require.NoError(t, err)
}

// While removing does not get on, the stream is still looked after.
func TestStrictTendsMeanwhile(t *testing.T) {
	deny := &server.SubjectPermission{Deny: []string{"$JS.API.STREAM.MSG.DELETE.>"}} // and does not answer
	user := &server.User{Username: "ada", Password: secret, Permissions: &server.Permissions{Publish: deny}}
	nats, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true,
		StoreDir: t.TempDir(), Users: []*server.User{user}, NoAuthUser: user.Username,
	})
	require.NoError(t, err)
	go nats.Start()
	require.True(t, nats.ReadyForConnections(patience))
	t.Cleanup(func() { end(nats) })
	n, _ := startOn(t, nats, Options{
		Mailboxes: true, Replicas: 1, Strict: true, StrictLease: testLease, mailPoll: 100 * time.Millisecond,
	})
	c, err := n.Claim(within(t), "ada", n.local(t), Replace)
	require.NoError(t, err)
	c.Release()
	eventually(t, func() bool { return n.strict.wasted() == 0 }, "it is being removed")
	require.NoError(t, n.strict.stream.ask(within(t), "STREAM.DELETE."+n.strict.stream.name, nil, nil))
	n.strict.discard(waste{sequence: 1})
	eventually(t, func() bool {
		_, err := n.strict.stream.last(within(t), 0)
		return err == nil
	}, "it is made again")
	_, err = n.Claim(within(t), "eve", n.local(t), Refuse)
	require.NoError(t, err)
}
