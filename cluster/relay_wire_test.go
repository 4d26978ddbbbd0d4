package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// gate is a node with a listener of its own, for sessions that are known everywhere.
type gate struct {
	*place
	public *netasync.Listener
}

func gates(t *testing.T, count int, o netasync.ListenOptions) (gates []gate) {
	t.Helper()
	o.Resume = true
	for _, p := range startMany(t, count) {
		l, err := p.Listen("127.0.0.1:0", o)
		require.NoError(t, err)
		gates = append(gates, gate{p, l})
	}
	return gates
}

// visit returns a client of the first gate, and its session there.
func visit(t *testing.T, g gate) (*wanderer, *netasync.Session) {
	t.Helper()
	client := wander(t, g.public.Addr().String())
	accepted := testkit.Take(t, g.public.AcceptChan())
	require.NoError(t, client.WaitConnected(within(t)))
	return client, accepted
}

// goesOn moves a client to another gate, and reports whether its session goes on there.
func goesOn(t *testing.T, w *wanderer, to gate) bool {
	t.Helper()
	w.move(to.public.Addr().String())
	return again(t, w)
}

// again waits until a client has been disconnected and is connected again, and reports whether it goes on.
func again(t *testing.T, w *wanderer) bool {
	t.Helper()
	gone := false
	for ev, err := range events(t, w.Session) {
		require.NoError(t, err)
		switch ev.Kind {
		case netasync.Disconnected:
			gone = true
		case netasync.Connected:
			if gone {
				return ev.Resumed
			}
		}
	}
	return false
}

// ends waits until a connection is ended by the other end, with what was read before.
func ends(t *testing.T, conn net.Conn) []byte {
	t.Helper()
	deadline, _ := within(t).Deadline()
	require.NoError(t, conn.SetReadDeadline(deadline))
	all, err := io.ReadAll(conn)
	require.False(t, errors.Is(err, os.ErrDeadlineExceeded), "it is still open")
	return all
}

// Who says nonsense to the relay port is hung up on, and others are served.
func TestRelayLiars(t *testing.T) {
	nodes := gates(t, 2, netasync.ListenOptions{})
	port := nodes[0].relayPort.Addr()
	silent := testkit.Dial(t, port) // for 5 s
	plain := testkit.Dial(t, port)
	testkit.Write(t, plain, somePreface().append(nil))
	require.NotContains(t, string(ends(t, plain)), string(rune(understood)), "it speaks no TLS")

	stranger := Options{Secret: secret + "?", Cluster: "netasync", Name: "stranger"}
	config, err := stranger.tlsOf()
	require.NoError(t, err)
	config.InsecureSkipVerify = true // so that it is the node that refuses
	conn := tls.Client(testkit.Dial(t, port), config)
	_, _ = conn.Write(somePreface().append(nil))
	require.Empty(t, ends(t, conn), "it does not know the secret")

	for name, say := range map[string][]byte{
		"garbage":        make([]byte, 100),
		"no such door":   somePreface().append(nil),
		"too long":       append([]byte(prefaceMagic), 0, 1, 0, 0),
		"body too short": append([]byte(prefaceMagic), 0, 0, 0, 2, 0, 0),
	} {
		conn, err := nodes[1].dialRelay(within(t), port.String())
		require.NoError(t, err)
		testkit.Write(t, conn, say)
		require.Empty(t, ends(t, conn), name)
	}
	w, accepted := visit(t, nodes[0])
	require.True(t, goesOn(t, w, nodes[1]))
	require.NoError(t, accepted.Context().Err())
	require.Equal(t, 1, nodes[1].Stats().Relaying)
	require.Empty(t, ends(t, silent), "it was waited for no longer than 5 s")
}

// Beyond MaxRelayed there is a new session. What is given back can be had again.
func TestMaxRelayed(t *testing.T) {
	nodes := gates(t, 2, netasync.ListenOptions{})
	nodes[1].relays.most = 1
	first, _ := visit(t, nodes[0])
	second, _ := visit(t, nodes[0])
	require.True(t, goesOn(t, first, nodes[1]))
	require.False(t, goesOn(t, second, nodes[1]))
	first.CloseNow(nil)
	eventually(t, func() bool { return nodes[1].Stats().Relaying == 0 }, "it has ended")
	third, _ := visit(t, nodes[0])
	require.True(t, goesOn(t, third, nodes[1]))
	require.Equal(t, uint64(2), nodes[1].Stats().Relayed)
}

// descriptors is how many the process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	all, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	return len(all)
}

// Many connections that were passed on leave nothing, and a node that ends or vanishes ends its own.
func TestRelaysEnd(t *testing.T) {
	nodes := gates(t, 2, netasync.ListenOptions{})
	before := descriptors(t)
	var clients []*wanderer
	for range 20 {
		w, _ := visit(t, nodes[0])
		require.True(t, goesOn(t, w, nodes[1]))
		clients = append(clients, w)
	}
	require.Equal(t, 20, nodes[1].Stats().Relaying)
	for _, w := range clients[:10] {
		w.CloseNow(nil)
	}
	eventually(t, func() bool { return nodes[1].Stats().Relaying == 10 }, "theirs have ended")
	nodes[1].forget(nodes[0].id, "has vanished")
	eventually(t, func() bool { return nodes[1].Stats().Relaying == 0 }, "nobody would answer")
	for _, w := range clients {
		w.CloseNow(nil)
		<-w.Done()
		require.NoError(t, w.engine.Shutdown(within(t)))
	}
	if runtime.GOOS == "linux" {
		eventually(t, func() bool { return descriptors(t) <= before+20 }, "descriptors are given back") // routes have some
	}
	w, _ := visit(t, nodes[0])
	eventually(t, func() bool { return len(nodes[1].Nodes()) == 1 }, "it is found again")
	require.True(t, goesOn(t, w, nodes[1]))
	w.addr.Store(ptr(nodes[0].public.Addr().String()))
	require.NoError(t, nodes[1].Shutdown(within(t)))
	require.Zero(t, nodes[1].Stats().Relaying)
	require.True(t, again(t, w), "its session is where it was")
}

// What the end of a stream says passes through, and what comes the other way still does.
func TestRelayHalfClose(t *testing.T) {
	n := start(t, Options{})
	here, there := testkit.Listen(t), testkit.Listen(t)
	a := testkit.Dial(t, here.Addr())
	in := testkit.Accept(t, here)
	out := testkit.Dial(t, there.Addr())
	b := testkit.Accept(t, there)
	require.True(t, n.relays.take())
	n.relays.add(n.Node, &relay{1, in, out})
	testkit.Write(t, a, []byte("request"))
	require.NoError(t, closeWrite(a))
	require.Equal(t, "request", string(ends(t, b)))
	testkit.Write(t, b, []byte("answer"))
	require.NoError(t, closeWrite(b))
	require.Equal(t, "answer", string(ends(t, a)))
	eventually(t, func() bool { return n.Stats().Relaying == 0 }, "it is over")
}

// The session sees the peer, not the node in between, and is the peer's alone.
func TestRelayTellsWhoThePeerIs(t *testing.T) {
	authority := testkit.NewAuthority()
	identify := func(_ context.Context, conn net.Conn) (string, error) {
		return conn.(*tls.Conn).ConnectionState().VerifiedChains[0][0].Subject.String(), nil
	}
	nodes := gates(t, 2, netasync.ListenOptions{Identify: identify, TLS: &tls.Config{
		Certificates: []tls.Certificate{authority.Issue("server", x509.ExtKeyUsageServerAuth, "localhost")},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool(),
	}})
	w := wanderWith(t, nodes[0].public.Addr().String(), &tls.Config{
		Certificates: []tls.Certificate{authority.Issue("ada", x509.ExtKeyUsageClientAuth)}, RootCAs: authority.Pool(), ServerName: "localhost",
	})
	accepted := testkit.Take(t, nodes[0].public.AcceptChan())
	require.NoError(t, w.WaitConnected(within(t)))
	require.True(t, goesOn(t, w, nodes[1]))
	eventually(t, func() bool { return accepted.RemoteAddr().String() == w.LocalAddr().String() }, "its address is the peer's")
	require.Equal(t, "CN=ada", accepted.Identity())
	require.NoError(t, accepted.Send(within(t), []byte("hello")))
	require.Equal(t, "hello", message(t, w.Session))
}

// A listener that has closed takes nothing in: there is a new session, and no loop.
func TestRelayToAClosedListener(t *testing.T) {
	nodes := gates(t, 2, netasync.ListenOptions{})
	w, _ := visit(t, nodes[0])
	require.NoError(t, nodes[0].public.Close())
	require.False(t, goesOn(t, w, nodes[1]))
}

// A peer may also come back to another listener of its session's node.
func TestResumeAtAnotherListener(t *testing.T) {
	nodes := gates(t, 1, netasync.ListenOptions{})
	l, err := nodes[0].Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
	require.NoError(t, err)
	w, _ := visit(t, nodes[0])
	require.True(t, goesOn(t, w, gate{nodes[0].place, l}))
	_, err = nodes[0].Listen("127.0.0.1:0", netasync.ListenOptions{})
	require.Error(t, err, "it needs Resume")
}

// Without a secret, on the loopback interface, nodes speak no TLS.
func TestRelayWithoutTLS(t *testing.T) {
	a := start(t, Options{Listen: "[::1]:0"})
	b := start(t, Options{Listen: "[::1]:0", Peers: []string{a.Addr()}})
	knows(t, 1, a, b)
	var both []gate
	for _, p := range []*place{a, b} {
		l, err := p.Listen("[::1]:0", netasync.ListenOptions{Resume: true})
		require.NoError(t, err)
		both = append(both, gate{p, l})
	}
	w, accepted := visit(t, both[0])
	for i := range 6 {
		require.True(t, goesOn(t, w, both[(i+1)%2]))
		require.NoError(t, accepted.Send(within(t), []byte("hello")))
		require.Equal(t, "hello", message(t, w.Session))
	}
	require.Equal(t, w.LocalAddr().String(), accepted.RemoteAddr().String())
	require.Equal(t, uint64(3), b.Stats().Relayed)
}

// Connections that say nothing do not keep a node out.
func TestSilentStrangers(t *testing.T) {
	nodes := startMany(t, 2)
	addr := nodes[0].relayPort.Addr().String()
	for range maxStrangers + 10 {
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
	}
	begun := time.Now()
	conn, err := nodes[1].dialRelay(within(t), addr)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.Less(t, time.Since(begun), readPatience)
	eventually(t, func() bool {
		s := &nodes[0].strangers
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.all) <= maxStrangers && len(s.all) == s.order.Len()
	}, "there are not too many")
}
