package call_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// world is a client and a server that make calls to each other over a network in memory.
type world struct {
	t       *testing.T
	net     *netasynctest.Network
	link    *netasynctest.Link
	client  *call.Peer
	session *netasync.Session // the client's
	servers chan *call.Peer   // each of the server's, as it comes
	engines []*netasync.Engine
	serving sync.WaitGroup
}

// limit ends a test that waits for ever. In a bubble heartbeats go on meanwhile, as fast as they can, so that
// it would be busy until the test's time is over.
func limit(t *testing.T) {
	timer := time.AfterFunc(48*time.Hour, func() { panic(t.Name() + " waits for ever") })
	t.Cleanup(func() { timer.Stop() })
}

// setting is how a world is made.
type setting struct {
	connect        netasync.ConnectOptions
	listen         netasync.ListenOptions
	client, server call.Options
	handle         call.Handler // of the server; nil: it serves nothing
	answer         call.Handler // of the client; nil: it serves nothing
}

var quick = netasync.FixedDelay(10 * time.Millisecond)

// resumable asks for Resume at both ends. A connection that was cut within its Hello is no session then.
func (s setting) resumable() setting {
	s.connect.Resume, s.listen.Resume, s.listen.ResumeOnly = true, true, true
	return s
}

func newWorld(t *testing.T, s setting) *world {
	limit(t)
	n := netasynctest.NewNetwork(t)
	w := &world{t: t, net: n, servers: make(chan *call.Peer, 10_000)}
	client, server := n.Engine("client", netasync.EngineOptions{}), n.Engine("server", netasync.EngineOptions{})
	w.engines = []*netasync.Engine{client, server}
	w.link = n.Link("client", "server")
	w.listen(server, s)
	if s.connect.Backoff == (netasync.Backoff{}) {
		s.connect.Backoff = quick
	}
	var err error
	w.session, err = client.Connect("server:1", s.connect)
	require.NoError(t, err)
	w.client = call.New(w.session, s.client)
	if s.answer != nil {
		w.serving.Go(func() { _ = w.client.Serve(context.Background(), s.answer) })
	}
	return w
}

// listen has a server serve.
func (w *world) listen(e *netasync.Engine, s setting) {
	ln, err := e.Listen("server:1", s.listen)
	require.NoError(w.t, err)
	w.serving.Go(func() {
		for session := range ln.AcceptChan() {
			peer := call.New(session, s.server)
			w.servers <- peer
			if s.handle != nil {
				w.serving.Go(func() { _ = peer.Serve(context.Background(), s.handle) })
			}
		}
	})
}

// end shuts down everything, and waits until nobody serves.
func (w *world) end() {
	for _, e := range w.engines {
		_ = e.Shutdown(testkit.Context(w.t))
	}
	w.serving.Wait()
}

// echo is a handler.
func echo(_ context.Context, request []byte) ([]byte, error) { return request, nil }

var errBoom = errors.New("boom")

// result is what a call came to.
type result struct {
	reply string
	err   error
}

// async makes a call in a goroutine.
func async(ctx context.Context, p *call.Peer, request string) <-chan result {
	c := make(chan result, 1)
	go func() {
		reply, err := p.Call(ctx, []byte(request))
		c <- result{string(reply), err}
	}()
	return c
}

// gate is a handler that waits to be let go.
type gate struct {
	began chan string   // each request
	open  chan struct{} // one for each that is to return
	ended chan error    // why ctx had ended, of each for which it did
}

func newGate() *gate {
	return &gate{make(chan string, 10_000), make(chan struct{}), make(chan error, 10_000)}
}

func (g *gate) handle(ctx context.Context, request []byte) ([]byte, error) {
	g.began <- string(request)
	select {
	case <-g.open:
		return append([]byte("re "), request...), nil
	case <-ctx.Done():
		g.ended <- ctx.Err()
		return nil, ctx.Err()
	}
}

// canceled returns a context that has ended.
func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(testkit.Context(t))
	cancel()
	return ctx
}
