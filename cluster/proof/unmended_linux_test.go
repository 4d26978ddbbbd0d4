package proof

import (
	"context"
	"encoding/binary"
	"flag"
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

// unmended are tests of faults that this proof has found, and that are not mended.
var unmended = flag.Bool("unmended", false, "also run the tests of faults that are known and not mended")

func known(t *testing.T) {
	if !*unmended {
		t.Skip("this is known, and fails")
	}
}

// A Send to a node that dies returns when that is known, however long its context would wait.
func TestSendEndsWithItsNode(t *testing.T) {
	known(t)
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

// Shutdown does not wait for another node that is asked for its entries and does not answer.
func TestShutdownHeedsItsContext(t *testing.T) {
	known(t)
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true})
	require.NoError(t, err)
	go s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	require.True(t, s.ReadyForConnections(testkit.Patience))
	nc, err := nats.Connect(s.ClientURL())
	require.NoError(t, err)
	defer nc.Close()
	e, err := netasync.NewEngine(netasync.EngineOptions{Loops: 1})
	require.NoError(t, err)
	defer func() { _ = e.Shutdown(testkit.Context(t)) }()
	n, err := cluster.Start(cluster.Options{Engine: e, NATS: nc})
	require.NoError(t, err)

	// A node that says that it has an entry, and that is stopped then.
	_, err = nc.SubscribeSync("netasync.netasync.n.0000000000000007.>")
	require.NoError(t, err)
	silent := binary.BigEndian.AppendUint64([]byte{'G'}, 7)
	silent = append(silent, 5, 's', 't', 'u', 'c', 'k', 0, 0, 1, 1)
	require.NoError(t, nc.Publish("netasync.netasync.all", silent))
	testkit.Eventually(t, func() bool { return len(n.Nodes()) == 1 }, "it is known")
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	begin := time.Now()
	_ = n.Shutdown(ctx)
	require.Less(t, time.Since(begin), 5*time.Second)
}
