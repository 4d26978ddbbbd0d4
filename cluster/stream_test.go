package cluster

import (
	"context"
	"fmt"
	"sync"
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

// There are more streams than a link has room for: those that have nothing to send make room, and who
// sends waits for that.
func TestManyStreams(t *testing.T) {
	nodes := startMany(t, 2)
	client, accepted := nodes[1].session(t, netasync.ConnectOptions{})
	const count = maxStreams + maxStreams/2
	for i := range count {
		_, err := nodes[1].Claim(within(t), fmt.Sprint("name ", i), accepted, Replace)
		require.NoError(t, err)
	}
	eventually(t, func() bool { return nodes[0].Stats().Names == count }, "they are known")
	var sending sync.WaitGroup
	for worker := range 8 {
		sending.Go(func() {
			for i := worker; i < count; i += 8 {
				if err := nodes[0].Session(fmt.Sprint("name ", i)).Send(within(t), fmt.Append(nil, i)); err != nil {
					t.Error(i, err)
				}
				if streams := nodes[0].Stats().Streams; streams > maxStreams {
					t.Error(streams)
				}
			}
		})
	}
	got := map[string]bool{}
	for len(got) < count {
		text := message(t, client)
		require.False(t, got[text], "twice")
		got[text] = true
	}
	sending.Wait()
	require.Zero(t, nodes[1].Stats().Dropped)
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
