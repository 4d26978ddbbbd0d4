package cluster

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

func anywhere(string) bool { return true }

// advertisers are nodes that say where peers reach them, by names that the peers' network knows.
func advertisers(t *testing.T, count int) (nodes []gate, names map[string]net.Addr) {
	t.Helper()
	names = map[string]net.Addr{}
	for i := range count {
		o := Options{
			Name: fmt.Sprint("node ", i), Listen: "127.0.0.1:0", Secret: secret, Advertise: fmt.Sprintf("node%d.test:1", i),
		}
		if i > 0 {
			o.Peers = []string{nodes[0].Addr()}
		}
		p := start(t, o)
		l, err := p.Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
		require.NoError(t, err)
		nodes, names[o.Advertise] = append(nodes, gate{p, l}), l.Addr()
	}
	for _, n := range nodes {
		eventually(t, func() bool { return len(n.Nodes()) == count-1 }, "each knows all others")
	}
	return nodes, names
}

// visitBy is visit with options of the client's.
func visitBy(t *testing.T, g gate, o netasync.ConnectOptions, names map[string]net.Addr) (*wanderer, *netasync.Session) {
	t.Helper()
	client := wanderBy(t, g.public.Addr().String(), o, names)
	accepted := testkit.Take(t, g.public.AcceptChan())
	require.NoError(t, client.WaitConnected(within(t)))
	ev, err := client.Recv(within(t))
	require.NoError(t, err)
	require.Equal(t, netasync.Connected, ev.Kind)
	ev, err = accepted.Recv(within(t))
	require.NoError(t, err)
	require.Equal(t, netasync.Connected, ev.Kind)
	return client, accepted
}

// exchange moves a client to a node while there are messages under way, both ways.
func exchange(t *testing.T, w *wanderer, accepted *netasync.Session, to gate, i int) {
	t.Helper()
	there, back := fmt.Sprint("there ", i), fmt.Sprint("back ", i)
	require.NoError(t, w.Send(within(t), []byte(there)))
	require.NoError(t, accepted.Send(within(t), []byte(back)))
	w.move(to.public.Addr().String())
	resumed(t, w.Session, back)
	resumed(t, accepted, there)
	require.NoError(t, accepted.Send(within(t), []byte("proof"))) // or the next one would ask to be passed on
	ev, err := w.Recv(within(t))
	require.NoError(t, err)
	require.Equal(t, "proof", string(ev.Payload))
}

// relayed is how many connections nodes pass on now, and how many there were.
func relayed(nodes []gate) (now int, all, redirected uint64) {
	for _, n := range nodes {
		s := n.Stats()
		now, all, redirected = now+s.Relaying, all+s.Relayed, redirected+s.Redirected
	}
	return now, all, redirected
}

// A client that follows is told where its session lives. It goes on exactly once, and nobody is in between.
func TestAdvertise(t *testing.T) {
	nodes, names := advertisers(t, 3)
	w, accepted := visitBy(t, nodes[0], netasync.ConnectOptions{FollowRedirect: anywhere}, names)
	for i := range 30 {
		exchange(t, w, accepted, nodes[(i+1)%3], i)
		now, all, redirected := relayed(nodes)
		require.Zero(t, now)
		require.Zero(t, all)
		require.EqualValues(t, i+1-(i+1)/3, redirected, "one for each move that is not to its own node")
		require.Equal(t, w.LocalAddr().String(), accepted.RemoteAddr().String())
	}
	require.Zero(t, w.Stats().Lost)
	for _, n := range nodes {
		require.Empty(t, n.public.AcceptChan(), "there is one session")
	}
}

// Who does not follow is passed on, beside one that does.
func TestAdvertiseToOneThatDoesNotFollow(t *testing.T) {
	nodes, names := advertisers(t, 2)
	follows, _ := visitBy(t, nodes[0], netasync.ConnectOptions{FollowRedirect: anywhere}, names)
	stays, _ := visitBy(t, nodes[0], netasync.ConnectOptions{}, names)
	require.True(t, goesOn(t, follows, nodes[1]))
	require.True(t, goesOn(t, stays, nodes[1]))
	s := nodes[1].Stats()
	require.Equal(t, 1, s.Relaying)
	require.EqualValues(t, 1, s.Relayed)
	require.EqualValues(t, 1, s.Redirected)
}

// An address at which nobody is costs a dial: the connection is passed on. So it is for one that is no
// address, as another node may say.
func TestAdvertiseWrong(t *testing.T) {
	nodes, names := advertisers(t, 2)
	w, accepted := visitBy(t, nodes[0], netasync.ConnectOptions{FollowRedirect: anywhere}, names)
	closed := testkit.Listen(t)
	require.NoError(t, closed.Close())
	for i, c := range []struct {
		addr       string
		redirected uint64
	}{
		{closed.Addr().String(), 1}, {nodes[1].public.Addr().String(), 2}, {"unix:1", 2}, {"a\n:1", 2}, {strings.Repeat("a", maxText-2) + ":1", 2}, {"", 2},
	} {
		setAdvertise(t, nodes[0], nodes[1], c.addr)
		exchange(t, w, accepted, nodes[1], i)
		s := nodes[1].Stats()
		require.EqualValues(t, i+1, s.Relayed, "%q", c.addr)
		require.Equal(t, c.redirected, s.Redirected, "%q", c.addr)
	}
	require.Zero(t, w.Stats().Lost)
}

// setAdvertise makes a node say another address, and waits until another one has heard.
func setAdvertise(t *testing.T, of, to gate, addr string) {
	t.Helper()
	of.directory.mu.Lock()
	of.directory.nodes[of.id].advertise = addr
	of.directory.mu.Unlock()
	eventually(t, func() bool { g, _ := to.directory.node(of.id); return g.advertise == addr }, "it is told")
}

// Advertise is the address of the first listener: sessions of another one, which may be of another kind, are
// passed on.
func TestAdvertiseIsOfTheFirstListener(t *testing.T) {
	nodes, names := advertisers(t, 2)
	second, err := nodes[0].Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
	require.NoError(t, err)
	w, accepted := visitBy(t, gate{nodes[0].place, second}, netasync.ConnectOptions{FollowRedirect: anywhere}, names)
	exchange(t, w, accepted, nodes[1], 0)
	s := nodes[1].Stats()
	require.EqualValues(t, 1, s.Relayed)
	require.Zero(t, s.Redirected)
}

// Where the node of a session is dead, there is a new session where the client has come, told by Resumed.
func TestAdvertiseOfADeadNode(t *testing.T) {
	nodes, names := advertisers(t, 2)
	w, _ := visitBy(t, nodes[0], netasync.ConnectOptions{FollowRedirect: anywhere}, names)
	require.NoError(t, nodes[0].public.Close()) // and nobody has noticed yet
	require.False(t, goesOn(t, w, nodes[1]))
	require.EqualValues(t, 1, nodes[1].Stats().Redirected)
	fresh := testkit.Take(t, nodes[1].public.AcceptChan())
	require.NoError(t, w.Send(within(t), []byte("hello")))
	require.Equal(t, "hello", message(t, fresh))
}
