package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// Entries are read as they were written; what is malformed is nobody's.
func TestStrictEntries(t *testing.T) {
	name := nameEntry{node: 7, epoch: 300, number: 1 << 40}
	require.Equal(t, name, parseName(name.append(nil)))
	lease := leaseEntry{node: 7, epoch: 300, counter: 1 << 40, dead: true}
	require.Equal(t, lease, parseLease(lease.append(nil)))
	for _, whole := range [][]byte{name.append(nil), lease.append(nil)} {
		for i := range whole {
			require.Zero(t, parseName(whole[:i]))
			require.Zero(t, parseLease(whole[:i]))
		}
	}
	require.Zero(t, parseName(lease.append(nil)))
	require.Zero(t, parseLease(name.append(nil)))
	require.Zero(t, parseLease(append(lease.append(nil)[:len(lease.append(nil))-1], 2)))
}

// A question that is malformed is not answered, and what stands where an entry should be is nobody's.
func TestStrictNonsense(t *testing.T) {
	nodes, _ := strictNodes(t, 1)
	st := nodes[0].strict
	for _, p := range [][]byte{nil, {byte(Replace)}, {9, 1, 'a', 1}, {byte(Refuse), 200, 'a'}} {
		require.NoError(t, nodes[0].nats.Publish(nodes[0].to(nodes[0].id, "strict"), p))
		require.NoError(t, nodes[0].nats.Publish(st.stream.leases()+"x", p))
	}
	eventually(t, func() bool {
		_, err := st.stream.put(within(t), st.stream.subject("ada"), []byte("nonsense"), 0)
		return err == nil
	}, "it stands there")
	_, s := nodes[0].session(t, netasync.ConnectOptions{})
	_, err := nodes[0].Claim(within(t), "ada", s, Refuse)
	require.NoError(t, err)
}
