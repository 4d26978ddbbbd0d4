package proof

import (
	"context"
	"encoding/binary"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/cluster"
	"github.com/netasync/netasync/internal/testkit"
)

// A Send to a node that dies returns when that is known, however long its context would wait.
func TestSendEndsWithItsNode(t *testing.T) {
	w := newWorld(t, false)
	c := w.join("c", "name", false, 0)
	was := c.here()
	w.nodes[1].send("name", often)
	w.reaches(w.nodes[1], "name", time.Now(), was)
	w.nodes[0].signal(syscall.SIGSTOP)
	begin := time.Now()
	require.NoError(t, w.nodes[1].orders.Encode(order{Do: "once", Name: "name", Every: 15 * time.Second}))
	w.books.kills(w.nodes[0])
	w.left(w.nodes[1], "name", was, begin)
	require.Equal(t, "unknown", w.nodes[1].hears("once").Outcome)
	require.Less(t, time.Since(begin), slack, "the node was known to be dead long before")
}

// besideStuck starts a node beside another one, that says once a second that it has an entry, and of which
// the node's requests come to the channel.
func besideStuck(t *testing.T) (*cluster.Node, *nats.Conn, <-chan *nats.Msg) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true})
	require.NoError(t, err)
	go s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(testkit.Patience))
	nc, err := nats.Connect(s.ClientURL())
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	e, err := netasync.NewEngine(netasync.EngineOptions{Loops: 1})
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.Shutdown(testkit.Context(t)) })
	n, err := cluster.Start(cluster.Options{Engine: e, NATS: nc})
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Shutdown(testkit.Context(t)) })
	asked := make(chan *nats.Msg, 100)
	_, err = nc.ChanSubscribe("netasync.netasync.n.0000000000000007.>", asked)
	require.NoError(t, err)
	digest := append(binary.BigEndian.AppendUint64([]byte{'G'}, 7), 5, 's', 't', 'u', 'c', 'k', 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		for ctx.Err() == nil {
			_ = nc.Publish("netasync.netasync.all", digest)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}()
	testkit.Eventually(t, func() bool { return len(n.Nodes()) == 1 }, "it is known")
	return n, nc, asked
}

// Shutdown does not wait for another node that is asked for its entries and does not answer.
func TestShutdownHeedsItsContext(t *testing.T) {
	n, _, _ := besideStuck(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	begin := time.Now()
	_ = n.Shutdown(ctx)
	require.Less(t, time.Since(begin), 5*time.Second)
}

// A request for a node's entries that was lost, as while routes come and go, is made again soon.
func TestLostRequestIsRepeated(t *testing.T) {
	n, nc, asked := besideStuck(t)
	testkit.Take(t, asked) // it is lost
	begin := time.Now()
	m := testkit.Take(t, asked)
	head := append(binary.BigEndian.AppendUint64([]byte{'S'}, 7), 1)
	require.NoError(t, nc.Publish(m.Reply, append(head[:len(head):len(head)], 0, 0, 'm', 1, 'r', 1, 0, 0, 0)))
	require.NoError(t, nc.Publish(m.Reply, append(head, 1)))
	testkit.Eventually(t, func() bool {
		for range n.Members("r") {
			return true
		}
		return false
	}, "its member is known")
	require.Less(t, time.Since(begin), slack)
}
