package movingfromnet

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

// A world is a network in which a client and a server meet.
type world struct {
	engine   func(host string) *netasync.Engine
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	addr     string // the server's, for the client
	listener *counting
	link     *netasynctest.Link
}

// counting is a listener that counts the connections.
type counting struct {
	net.Listener
	accepted atomic.Int32
}

func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.accepted.Add(1)
	}
	return conn, err
}

// sockets are a world on loopback.
func sockets(t *testing.T) world {
	l := testkit.Listen(t)
	proxy := netasynctest.NewProxy(t, l.Addr().String())
	engine := func(string) *netasync.Engine {
		e, err := netasync.NewEngine(netasync.EngineOptions{})
		require.NoError(t, err)
		t.Cleanup(func() { _ = e.Shutdown(testkit.Context(t)) })
		return e
	}
	return world{engine, new(net.Dialer).DialContext, proxy.Addr(), &counting{Listener: l}, proxy.Link}
}

// memory is a world for fake time.
func memory(t *testing.T) world {
	n := netasynctest.NewNetwork(t)
	l, err := n.Listen("server", ":1")
	require.NoError(t, err)
	engine := func(host string) *netasync.Engine { return n.Engine(host, netasync.EngineOptions{}) }
	dial := n.Dialer("client")
	return world{engine, dial, "server:1", &counting{Listener: l}, n.Link("client", "server")}
}

func upper(p []byte) []byte { return []byte(strings.ToUpper(string(p))) }

// servers are the two ways to write the server.
var servers = map[string]func(t *testing.T, w world){
	"net": func(t *testing.T, w world) {
		ended := make(chan error, 1)
		go func() { ended <- serve(w.listener, upper) }()
		t.Cleanup(func() {
			_ = w.listener.Close()
			require.ErrorIs(t, <-ended, net.ErrClosed)
		})
	},
	"netasync": func(t *testing.T, w world) {
		l, err := w.engine("server").Serve(w.listener, netasync.ListenOptions{})
		require.NoError(t, err)
		go serveSessions(context.Background(), l, upper)
	},
}

// clients are the two ways to write the client. They return what sends.
var clients = map[string]func(t *testing.T, w world, got func([]byte)) func(string){
	"net": func(t *testing.T, w world, got func([]byte)) func(string) {
		ctx, cancel := context.WithCancel(context.Background())
		c := &client{dial: w.dial, addr: w.addr, out: make(chan []byte), got: func(p []byte) error { got(p); return nil }}
		ended := make(chan struct{})
		go func() { c.run(ctx); close(ended) }()
		t.Cleanup(func() { cancel(); <-ended })
		return func(m string) { c.out <- []byte(m) }
	},
	"netasync": func(t *testing.T, w world, got func([]byte)) func(string) {
		s, err := connect(context.Background(), w.engine("client"), w.addr, got)
		require.NoError(t, err)
		return func(m string) { require.NoError(t, s.Send(context.Background(), []byte(m))) }
	},
}

// eachPair runs a test with each client and each server: so one side may be moved before the other.
func eachPair(t *testing.T, test func(t *testing.T, serve func(*testing.T, world), dial func(*testing.T, world, func([]byte)) func(string))) {
	for s := range servers {
		for c := range clients {
			t.Run(c+" to "+s, func(t *testing.T) { test(t, servers[s], clients[c]) })
		}
	}
}
