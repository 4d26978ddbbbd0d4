package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

// One group may have members by every door, on different wires, of several engines: all get the same, in the
// same order, in memory of their own.
func TestBroadcastToMembersByAllDoors(t *testing.T) {
	const messages = 200
	g, e := broadcast.NewGroup(broadcast.Options{}), newEngine(t)
	room := netasync.Buffer{Cap: messages, Bytes: 64 << 20}
	var readers []*netasync.Session
	join := func(by <-chan *netasync.Session, addr string, o netasync.ConnectOptions) {
		s, err := e.Connect(addr, o)
		require.NoError(t, err)
		readers = append(readers, s)
		require.True(t, g.Add(testkit.Take(t, by)))
	}
	for _, name := range []string{"on loops", "tls", "another codec"} {
		door := everyDoor[name]
		door.listen.WriteBuffer = room
		ln := listen(t, e, door.listen)
		join(ln.AcceptChan(), ln.Addr().String(), door.connect)
	}
	n := netasynctest.NewNetwork(t)
	ln, err := n.Listen("memory", ":1")
	require.NoError(t, err)
	memory, err := e.Serve(ln, netasync.ListenOptions{WriteBuffer: room})
	require.NoError(t, err)
	join(memory.AcceptChan(), "localhost:1", netasync.ConnectOptions{Dial: n.Dialer("memory")})
	h, addr := embed(t, netasync.ListenOptions{WriteBuffer: room})
	join(h.AcceptChan(), addr.String(), netasync.ConnectOptions{})
	require.Len(t, readers, g.Len())
	broadcastAll(t, g, readers, messages)
}
