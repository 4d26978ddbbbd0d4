package cluster

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// claimed returns a client whose session has a name that all nodes know.
func claimed(t testing.TB, nodes []*place, at int, name string) (client, accepted *netasync.Session) {
	t.Helper()
	client, accepted = nodes[at].session(t, netasync.ConnectOptions{})
	_, err := nodes[at].Claim(within(t), name, accepted, Replace)
	require.NoError(t, err)
	eventually(t, func() bool { return holds(nodes, name, nodes[at], accepted) }, "it is known")
	return client, accepted
}

// Messages come in order, at this node and at another one, and Flush says when they are queued.
func TestStream(t *testing.T) {
	nodes := startMany(t, 2)
	for at := range nodes {
		name := fmt.Sprint("name ", at)
		client, _ := claimed(t, nodes, at, name)
		s := nodes[0].Session(name)
		require.Equal(t, name, s.Name())
		go func() {
			for i := range 5000 {
				if err := s.Send(context.Background(), fmt.Append(nil, i)); err != nil {
					t.Error(err)
				}
			}
		}()
		for i := range 5000 {
			require.Equal(t, fmt.Sprint(i), message(t, client))
		}
		require.NoError(t, s.Flush(within(t)))
	}
	require.Equal(t, []int{1, 1}, []int{nodes[0].Stats().Links, nodes[0].Stats().Streams})
	require.Equal(t, []int{1, 1}, []int{nodes[1].Stats().LinksIn, nodes[1].Stats().StreamsIn})
}
