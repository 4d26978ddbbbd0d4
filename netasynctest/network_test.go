package netasynctest_test

import (
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	nt "github.com/netasync/netasync/netasynctest"
)

// What may be listened on, and how it is reached: an engine's name is a host, which also has the names
// that a host has for itself.
func TestAddresses(t *testing.T) {
	n := nt.NewNetwork(t)
	for _, c := range []struct{ listen, dial, network, own, remote string }{
		{":1", "server:1", "tcp", "", "server:1"},
		{"server:2", "server:2", "tcp", "", "server:2"},
		{"0.0.0.0:3", "server:3", "tcp", "localhost:3", "server:3"},
		{"127.0.0.1:4", "server:4", "tcp", "[::1]:4", "server:4"},
		{"localhost:http", "server:http", "tcp", ":http", "server:http"},
	} {
		ln, err := n.Listen("server", c.listen)
		require.NoError(t, err)
		require.Equal(t, c.remote, ln.Addr().String())
		_, err = n.Listen("server", c.listen)
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		conn, err := n.Dialer("client")(t.Context(), c.network, c.dial)
		require.NoError(t, err)
		require.Equal(t, nt.Addr{Net: "tcp", Host: "server", Port: ln.Addr().(nt.Addr).Port}, conn.RemoteAddr())
		require.Equal(t, "client", conn.LocalAddr().(nt.Addr).Host)
		theirs, err := ln.Accept()
		require.NoError(t, err)
		require.Equal(t, conn.LocalAddr(), theirs.RemoteAddr())
		require.Equal(t, conn.RemoteAddr(), theirs.LocalAddr())
		if c.own != "" {
			_, err = n.Dialer("server")(t.Context(), "tcp", c.own)
			require.NoError(t, err)
			_, err = n.Dialer("client")(t.Context(), "tcp", c.own)
			require.ErrorIs(t, err, syscall.ECONNREFUSED, "another host's own")
		}
	}
	_, err := n.Listen("server", "client:1")
	require.ErrorIs(t, err, syscall.EADDRNOTAVAIL)
	_, err = n.Listen("server", "no port")
	require.ErrorContains(t, err, "missing port")
	_, err = n.Dialer("client")(t.Context(), "tcp", "server:9")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)

	one, err := n.Listen("server", ":0")
	require.NoError(t, err)
	two, err := n.Listen("server", ":0")
	require.NoError(t, err)
	require.NotEqual(t, one.Addr(), two.Addr())
}

// A unix socket is one of its host.
func TestUnixSockets(t *testing.T) {
	n := nt.NewNetwork(t)
	e := n.Engine("server", netasync.EngineOptions{})
	_, err := e.Listen("unix:/run/it", netasync.ListenOptions{})
	require.NoError(t, err)
	s, err := e.Connect("unix:/run/it", netasync.ConnectOptions{})
	require.NoError(t, err)
	nt.ExpectWithin(t, testkit.Patience, s, nt.IsConnected)
	require.Equal(t, "unix", s.RemoteAddr().Network())
	require.Equal(t, "/run/it", s.RemoteAddr().String())
	_, err = n.Dialer("client")(t.Context(), "unix", "/run/it")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

// A listener that closes resets what nobody has accepted, frees its address, and leaves the rest.
func TestListenerCloses(t *testing.T) {
	n := nt.NewNetwork(t)
	ln, err := n.Listen("server", ":1")
	require.NoError(t, err)
	dial := n.Dialer("client")
	accepted, err := dial(t.Context(), "tcp", "server:1")
	require.NoError(t, err)
	theirs, err := ln.Accept()
	require.NoError(t, err)
	waits, err := dial(t.Context(), "tcp", "server:1")
	require.NoError(t, err)

	require.NoError(t, ln.Close())
	require.ErrorIs(t, ln.Close(), net.ErrClosed)
	_, err = ln.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	readError(t, waits, syscall.ECONNRESET)
	write(t, accepted, "lives")
	read(t, theirs, "lives")
	_, err = n.Listen("server", ":1")
	require.NoError(t, err)
}

// A server that is shut down and started again is the same host.
func TestRestart(t *testing.T) {
	n := nt.NewNetwork(t)
	first := n.Engine("server", netasync.EngineOptions{})
	byRecv.echo(t, first)
	client, _ := byRecv.connect(t, n.Engine("client", netasync.EngineOptions{}), "server:1")
	byRecv.send(t, client, "hello") // the answer says that the server has accepted
	nt.ExpectWithin(t, testkit.Patience, client, nt.IsConnected, nt.IsMessage("hello"))
	require.NoError(t, first.Shutdown(t.Context()))
	nt.ExpectWithin(t, testkit.Patience, client, nt.IsDisconnected(io.EOF))
	byRecv.echo(t, n.Engine("server", netasync.EngineOptions{}))
	nt.ExpectWithin(t, testkit.Patience, client, nt.IsConnected)
	byRecv.send(t, client, "back")
	nt.ExpectWithin(t, testkit.Patience, client, nt.IsMessage("back"))
}

// Links are between two hosts: what happens on one does not happen on another, nor to a listener.
func TestLinksAreSeparate(t *testing.T) {
	n := nt.NewNetwork(t)
	byRecv.echo(t, n.Engine("server", netasync.EngineOptions{}))
	one, _ := byRecv.connect(t, n.Engine("one", netasync.EngineOptions{}), "server:1")
	two, _ := byRecv.connect(t, n.Engine("two", netasync.EngineOptions{}), "server:1")
	for _, s := range []*netasync.Session{one, two} {
		byRecv.send(t, s, "hello")
		nt.ExpectWithin(t, testkit.Patience, s, nt.IsConnected, nt.IsMessage("hello"))
	}
	n.Link("server", "one").Cut(nil)
	nt.ExpectWithin(t, testkit.Patience, one, nt.IsDisconnected(syscall.ECONNRESET), nt.IsConnected)
	byRecv.send(t, two, "undisturbed")
	nt.ExpectWithin(t, testkit.Patience, two, nt.IsMessage("undisturbed"))
}

// A network that has ended with its test has no connections, no listeners and no dials.
func TestNetworkEnds(t *testing.T) {
	var n *nt.Network
	var client, server net.Conn
	var ln net.Listener
	t.Run("its test", func(t *testing.T) {
		n = nt.NewNetwork(t)
		var err error
		ln, err = n.Listen("server", ":1")
		require.NoError(t, err)
		client, err = n.Dialer("client")(t.Context(), "tcp", "server:1")
		require.NoError(t, err)
		server, err = ln.Accept()
		require.NoError(t, err)
	})
	readError(t, client, net.ErrClosed)
	readError(t, server, net.ErrClosed)
	_, err := ln.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = n.Dialer("client")(t.Context(), "tcp", "server:1")
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = n.Listen("server", ":1")
	require.ErrorIs(t, err, net.ErrClosed)
}

// What cannot be meant fails the test, and says why.
func TestBadValues(t *testing.T) {
	n := nt.NewNetwork(t)
	var l *nt.Link
	for want, f := range map[string]func(t testing.TB, n *nt.Network){
		`"" cannot be`:          func(_ testing.TB, n *nt.Network) { n.Engine("", netasync.EngineOptions{}) },
		`"server:1" cannot be`:  func(_ testing.TB, n *nt.Network) { n.Dialer("server:1") },
		`"localhost" cannot be`: func(_ testing.TB, n *nt.Network) { _, _ = n.Listen("localhost", ":1") },
		`Loops is -1`:           func(_ testing.TB, n *nt.Network) { n.Engine("a", netasync.EngineOptions{Loops: -1}) },
		`no host "nobody"`:      func(_ testing.TB, n *nt.Network) { n.Link("a", "nobody") },
		`no host "refused"`:     func(_ testing.TB, n *nt.Network) { n.Refuse("refused", errCut) },
		`not to "c"`:            func(testing.TB, *nt.Network) { l.To("c") },
		`not to "d"`:            func(testing.TB, *nt.Network) { l.OneWay("d") },
		`Latency is -1ns`:       func(testing.TB, *nt.Network) { l.Latency(-1, 0) },
		`and -1ns, want 0`:      func(testing.TB, *nt.Network) { l.Latency(0, -1) },
		`Bandwidth is -1`:       func(testing.TB, *nt.Network) { l.Bandwidth(-1) },
		`Buffer is -1`:          func(testing.TB, *nt.Network) { l.Buffer(-1) },
		`CutAfter is -2`:        func(testing.TB, *nt.Network) { l.CutAfter(-2) },
		`Linger is -1`: func(t testing.TB, _ *nt.Network) {
			nt.Pair(t, netasync.ConnectOptions{Linger: -1}, netasync.ListenOptions{})
		},
		`MaxSessions is -1`: func(t testing.TB, _ *nt.Network) {
			nt.Pair(t, netasync.ConnectOptions{}, netasync.ListenOptions{MaxSessions: -1})
		},
	} {
		require.Contains(t, failure(t, func(f2 testing.TB) {
			n = nt.NewNetwork(f2)
			n.Dialer("a")
			n.Dialer("b")
			l = n.Link("a", "b")
			f(f2, n)
		}), want)
	}
	for _, v := range []int{0, 1} { // these can
		l.Latency(0, 0)
		l.Latency(1, 1)
		l.Bandwidth(v)
		l.Buffer(v)
		l.CutAfter(v)
	}
	l.CutAfter(-1)
}
