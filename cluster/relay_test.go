package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// wanderer is a client that reaches one address after the other, and whose connection can be cut.
type wanderer struct {
	*netasync.Session
	engine *netasync.Engine
	addr   atomic.Pointer[string]
	mu     sync.Mutex
	conn   net.Conn
}

func wander(t testing.TB, addr string) *wanderer {
	t.Helper()
	return wanderWith(t, addr, nil)
}

func wanderWith(t testing.TB, addr string, secured *tls.Config) *wanderer {
	t.Helper()
	return wanderBy(t, addr, netasync.ConnectOptions{TLS: secured}, nil)
}

// wanderBy is wander with more options, and with names for addresses.
func wanderBy(t testing.TB, addr string, o netasync.ConnectOptions, names map[string]net.Addr) *wanderer {
	t.Helper()
	w := &wanderer{engine: newEngine(t)}
	w.addr.Store(&addr)
	var err error
	o.Resume, o.Backoff = true, netasync.Backoff{Initial: 5 * time.Millisecond, Max: 50 * time.Millisecond}
	o.Resolve = func(context.Context) ([]string, error) { return []string{*w.addr.Load()}, nil }
	o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if to := names[addr]; to != nil {
			addr = to.String()
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.conn = conn; err != nil {
			return nil, err
		}
		return struct{ net.Conn }{conn}, nil // so that its descriptor stays its own
	}
	w.Session, err = w.engine.Connect("", o)
	require.NoError(t, err)
	return w
}

// move has the client come back at another address.
func (w *wanderer) move(addr string) {
	w.addr.Store(&addr)
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.conn.(*net.TCPConn).SetLinger(0)
	_ = w.conn.Close()
}

// resumed reads until the session is connected again and a message has come.
func resumed(t testing.TB, s *netasync.Session, want string) {
	t.Helper()
	again, came := false, false
	for ev, err := range events(t, s) {
		require.NoError(t, err)
		switch ev.Kind {
		case netasync.Connected:
			require.True(t, ev.Resumed)
			again = true
		case netasync.Message:
			require.Equal(t, want, string(ev.Payload))
			require.False(t, came, "twice")
			came = true
		case netasync.Closed:
			require.Fail(t, "the session has closed", "%v", ev.Err)
		}
		if again && came {
			return
		}
	}
}

// events is the session's, bounded in time.
func events(t testing.TB, s *netasync.Session) func(func(netasync.Event, error) bool) {
	ctx := within(t)
	return func(yield func(netasync.Event, error) bool) {
		for {
			if ev, err := s.Recv(ctx); !yield(ev, err) {
				return
			}
		}
	}
}

// A client that is moved from node to node goes on exactly once: its session stays where it is.
func TestResumeAtAnyNode(t *testing.T) {
	nodes := startMany(t, 3)
	var listeners []*netasync.Listener
	for _, n := range nodes {
		l, err := n.Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
		require.NoError(t, err)
		listeners = append(listeners, l)
	}
	for _, n := range nodes {
		eventually(t, func() bool {
			for _, g := range n.directory.others() {
				if g.relay == "" {
					return false
				}
			}
			return true
		}, "each knows the others' relay ports")
	}
	client := wander(t, listeners[0].Addr().String())
	accepted := <-listeners[0].AcceptChan()
	require.NoError(t, client.WaitConnected(within(t)))
	ev, err := client.Recv(within(t))
	require.NoError(t, err)
	require.Equal(t, netasync.Connected, ev.Kind)
	ev, err = accepted.Recv(within(t))
	require.NoError(t, err)
	require.Equal(t, netasync.Connected, ev.Kind)
	for i := range 30 {
		there, back := fmt.Sprint("there ", i), fmt.Sprint("back ", i)
		require.NoError(t, client.Send(within(t), []byte(there)))
		require.NoError(t, accepted.Send(within(t), []byte(back)))
		client.move(listeners[(i+1)%3].Addr().String())
		resumed(t, client.Session, back)
		resumed(t, accepted, there)
		require.Equal(t, client.LocalAddr().String(), accepted.RemoteAddr().String())
	}
	require.Zero(t, client.Stats().Lost)
	for _, l := range listeners {
		require.Empty(t, l.AcceptChan(), "there is one session")
	}

	// Its node ends: there is a new session, and the client knows it.
	require.NoError(t, nodes[0].Shutdown(within(t)))
	require.NoError(t, nodes[0].engine.Shutdown(within(t)))
	client.addr.Store(ptr(listeners[1].Addr().String()))
	fresh := <-listeners[1].AcceptChan()
	require.NoError(t, client.Send(within(t), []byte("hello")))
	require.Equal(t, "hello", message(t, fresh))
}

func ptr[T any](v T) *T { return &v }
