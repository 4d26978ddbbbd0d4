package movingfromwebsocket

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	testkit.Main(m)
}

// A way is a client and a server. It returns what cuts their connections.
type way func(t *testing.T, out <-chan []byte, got func([]byte)) (cut func())

var ways = map[string]way{
	"websocket": func(t *testing.T, out <-chan []byte, got func([]byte)) func() {
		server := newServer(t, serve(bytes.ToUpper))
		proxy := netasynctest.NewProxy(t, server)
		c := &client{url: "ws://" + proxy.Addr(), out: out, got: got}
		until(t, c.run)
		return func() { proxy.Cut(nil) }
	},
	"netasync": func(t *testing.T, out <-chan []byte, got func([]byte)) func() {
		engine := newEngine(t)
		l, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{})
		require.NoError(t, err)
		go serveSessions(context.Background(), l, bytes.ToUpper)
		proxy := netasynctest.NewProxy(t, l.Addr().String())
		until(t, func(ctx context.Context) { _ = talk(ctx, engine, proxy.Addr(), out, got) })
		return func() { proxy.Cut(nil) }
	},
}

// until runs a function until the test ends.
func until(t *testing.T, f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { f(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); testkit.Ended(t, ended) })
}

func newServer(t *testing.T, h http.Handler) string {
	l := testkit.Listen(t)
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	server.Start()
	t.Cleanup(server.Close)
	return l.Addr().String()
}

func newEngine(t *testing.T) *netasync.Engine {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Shutdown(testkit.Context(t)) })
	return engine
}

// Both ways do the same: answers in order, and again after an outage.
func TestSame(t *testing.T) {
	for name, start := range ways {
		t.Run(name, func(t *testing.T) {
			out := make(chan []byte)
			answers := make(chan string, 1_000)
			cut := start(t, out, func(p []byte) { answers <- string(p) })
			for _, m := range []string{"one", "two", "three"} {
				testkit.Put(t, out, []byte(m))
			}
			for _, want := range []string{"ONE", "TWO", "THREE"} {
				require.Equal(t, want, testkit.Take(t, answers))
			}
			cut()
			askAgain(t, out, answers)
		})
	}
}

// askAgain sends until an answer comes: what goes to a connection that has just been cut is lost.
func askAgain(t *testing.T, out chan<- []byte, answers <-chan string) {
	for range 20 {
		testkit.Put(t, out, []byte("again"))
		select {
		case got := <-answers:
			require.Equal(t, "AGAIN", got)
			return
		case <-time.After(time.Second):
		}
	}
	require.Fail(t, "no answer after an outage")
}

// Sessions go through a WebSocket, and connect again by it. Nobody is found dead who has nothing to say.
func TestTunnel(t *testing.T) {
	g := &gate{conns: make(chan net.Conn), done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.Handle("/messages", g)
	server := newServer(t, mux)
	g.addr = testkit.DeadAddr(t)
	l, err := newEngine(t).Serve(g, netasync.ListenOptions{HeartbeatPeriod: 100 * time.Millisecond})
	require.NoError(t, err)
	go serveSessions(context.Background(), l, bytes.ToUpper)

	proxy := netasynctest.NewProxy(t, server)
	o := byHTTP
	o.HeartbeatPeriod, o.HeartbeatTimeout = 100*time.Millisecond, 2*time.Second
	s, err := newEngine(t).Connect(proxy.Addr(), o)
	require.NoError(t, err)
	netasynctest.ExpectWithin(t, testkit.Patience, s, netasynctest.IsConnected)
	require.NoError(t, s.Send(testkit.Context(t), []byte("one")))
	netasynctest.ExpectWithin(t, testkit.Patience, s, netasynctest.IsMessage("ONE"))
	netasynctest.Quiet(t, s, 3*time.Second)
	proxy.Cut(nil)
	netasynctest.ExpectWithin(t, testkit.Patience, s, netasynctest.IsDisconnected(nil), netasynctest.IsConnected)
	require.NoError(t, s.Send(testkit.Context(t), []byte("two")))
	netasynctest.ExpectWithin(t, testkit.Patience, s, netasynctest.IsMessage("TWO"))
}
