package cluster

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mailNodes starts nodes with mailboxes, that know each other, and waits until a message can be stored
// everywhere.
func mailNodes(t testing.TB, count int) (places []*place) {
	t.Helper()
	if count == 1 {
		return []*place{mailNode(t, Options{})}
	}
	addrs := freeAddrs(t, count)
	for i := range count {
		places = append(places, mailNode(t, Options{Name: fmt.Sprint("node ", i), Listen: addrs[i], Peers: addrs,
			Relay: "127.0.0.1:0", Secret: secret, MailboxSequence: true, mailPoll: 200 * time.Millisecond}))
	}
	for _, p := range places {
		eventually(t, func() bool { return len(p.Nodes()) == count-1 }, "each knows all others")
	}
	require.NoError(t, places[0].Post(within(t), "first", []byte("hello")))
	eventually(t, func() bool { return places[0].copies(t) == count }, "each has a copy")
	return places
}

// freeAddrs returns addresses that nobody listens at.
func freeAddrs(t testing.TB, count int) (addrs []string) {
	t.Helper()
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { _ = l.Close() }()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// copies is how many servers keep the messages, and have all of them.
func (p *place) copies(t testing.TB) int { return p.mail.stream.copies(t) }

func (j *jetStream) copies(t testing.TB) int {
	var info struct {
		Cluster struct {
			Replicas []struct {
				Current bool `json:"current"`
			} `json:"replicas"`
		} `json:"cluster"`
	}
	if err := j.ask(within(t), "STREAM.INFO."+j.name, nil, &info); err != nil {
		require.True(t, temporary(err), "%v", err)
		return 0
	}
	current := 1
	for _, r := range info.Cluster.Replicas {
		if r.Current {
			current++
		}
	}
	return current
}
