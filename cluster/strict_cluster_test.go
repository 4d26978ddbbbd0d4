package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// strictOptions are those of one of several nodes with servers of their own.
func strictOptions(addrs []string, i int, lease time.Duration) Options {
	return Options{
		Name: fmt.Sprint("node ", i), Listen: addrs[i], Peers: addrs, Relay: "127.0.0.1:0", Secret: secret,
		mailPoll: 200 * time.Millisecond, Strict: true, StrictLease: lease,
	}
}

// strictCluster starts nodes with servers of their own, and waits until each has a copy of the names.
func strictCluster(t testing.TB, count int, lease time.Duration) (places []*place) {
	t.Helper()
	addrs := freeAddrs(t, count)
	for i := range count {
		o := strictOptions(addrs, i, lease)
		if count == 1 {
			o.Listen, o.Peers, o.Relay = "", nil, ""
		}
		places = append(places, mailNode(t, o))
	}
	eventually(t, func() bool { return places[0].strict.stream.copies(t) == count }, "each has a copy")
	return places
}

// A node that was killed, with the leader of the servers, loses its names when its lease has ended, and not
// before; other nodes keep theirs meanwhile.
func TestStrictOutlivesANode(t *testing.T) {
	addrs := freeAddrs(t, 3)
	child := startChildOf(t, "TestStrictChild", addrs)
	var nodes []*place
	var sessions []*netasync.Session
	for i := range 2 {
		nodes = append(nodes, mailNode(t, strictOptions(addrs, i, 0)))
	}
	for i, n := range nodes {
		_, s := n.session(t, netasync.ConnectOptions{})
		_, err := n.Claim(within(t), fmt.Sprint("name ", i), s, Replace)
		require.NoError(t, err)
		sessions = append(sessions, s)
	}
	eventually(t, func() bool { _, held := nodes[0].directory.holder("ada"); return held }, "it has a name")
	eventually(t, func() bool { return nodes[0].strict.stream.copies(t) == 3 }, "each has a copy")
	nodes[0].strict.stream.leadBy(t, child.name)
	child.kill()
	begun := time.Now()
	patient, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	_, s := nodes[0].session(t, netasync.ConnectOptions{})
	_, err := nodes[0].Claim(patient, "ada", s, Replace)
	require.NoError(t, err)
	took := time.Since(begun)
	t.Logf("got after %v", took)
	require.Greater(t, took, defaultStrictLease*(renewals-2)/renewals, "a renewal was due at most")
	for _, s := range sessions {
		require.False(t, isDone(s), "others keep their names")
	}
}

// TestStrictChild is no test, but the node of TestStrictOutlivesANode.
func TestStrictChild(t *testing.T) {
	args := strings.Split(os.Getenv(childArgs), "\n")
	if len(args) < 2 {
		t.Skip("for another test")
	}
	addrs := args[1:]
	o := strictOptions(addrs, len(addrs)-1, 0)
	o.Dir = args[0]
	p := mailNode(t, o)
	_, s := p.session(t, netasync.ConnectOptions{})
	_, err := p.Claim(within(t), "ada", s, Replace)
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// Without a majority nobody gets a name, and those that are there are lost.
func TestStrictWithoutMajority(t *testing.T) {
	nodes := strictCluster(t, 3, 5*time.Second)
	_, s := nodes[0].session(t, netasync.ConnectOptions{})
	_, other := nodes[0].session(t, netasync.ConnectOptions{})
	_, err := nodes[0].Claim(within(t), "ada", s, Replace)
	require.NoError(t, err)
	for _, n := range nodes[1:] {
		require.NoError(t, n.Shutdown(within(t)))
	}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = nodes[0].Claim(short, "eve", other, Refuse)
	require.ErrorIs(t, err, ErrNoMajority)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, cause(t, s), ErrLeaseLost)
}

// BenchmarkStrictClaim measures claims of new names, and of those that another node has.
func BenchmarkStrictClaim(b *testing.B) {
	for _, count := range []int{1, 3} {
		nodes := strictCluster(b, count, 0)
		var sessions []*netasync.Session
		for _, n := range nodes {
			_, s := n.session(b, netasync.ConnectOptions{})
			sessions = append(sessions, s)
		}
		b.Run(fmt.Sprint("nodes=", count), func(b *testing.B) {
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				begun := time.Now()
				c, err := nodes[i%count].Claim(within(b), fmt.Sprint("name ", i), sessions[i%count], Refuse)
				require.NoError(b, err)
				took = append(took, time.Since(begun))
				c.Release()
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}
