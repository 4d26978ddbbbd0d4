package e2e_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

// Connections of the user's own making.

// wrapped is a connection that no event loop can take.
type wrapped struct{ net.Conn }

// A Dial and a listener of the user's carry sessions as ours do: plain sockets, connections that
// no event loop can take, and pipes in memory; with TLS, too.
func TestDialAndServe(t *testing.T) {
	tcp := func(t *testing.T) (net.Listener, func(context.Context, string, string) (net.Conn, error), string) {
		ln := testkit.Listen(t)
		return ln, new(net.Dialer).DialContext, ln.Addr().String()
	}
	for name, open := range map[string]func(t *testing.T) (net.Listener, func(context.Context, string, string) (net.Conn, error), string){
		"tcp": tcp,
		"wrapped": func(t *testing.T) (net.Listener, func(context.Context, string, string) (net.Conn, error), string) {
			ln, dial, addr := tcp(t)
			return ln, func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := dial(ctx, network, addr)
				return wrapped{conn}, err
			}, addr
		},
		"memory": func(t *testing.T) (net.Listener, func(context.Context, string, string) (net.Conn, error), string) {
			n := netasynctest.NewNetwork(t)
			ln, err := n.Listen("memory", ":1")
			require.NoError(t, err)
			return ln, n.Dialer("memory"), "localhost:1"
		},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				e := newEngine(t)
				ln, dial, addr := open(t)
				lo, co := netasync.ListenOptions{}, netasync.ConnectOptions{Dial: dial}
				if secure {
					lo.TLS, co.TLS = certificates().server(false), certificates().client(false)
				}
				l, err := e.Serve(ln, lo)
				require.NoError(t, err)
				require.Equal(t, ln.Addr(), l.Addr())
				go echo(l.AcceptChan())
				c, err := e.Connect(addr, co)
				require.NoError(t, err)
				expect(t, c, netasync.Connected)
				send(t, c, "one", "two")
				expectMessages(t, c, "one", "two")
				require.NoError(t, l.Close())
			})
		}
	}
}

// A listener that its owner closes is at its end, and sessions live on.
func TestServedListenerIsClosedByItsOwner(t *testing.T) {
	e := newEngine(t)
	ln := testkit.Listen(t)
	l, err := e.Serve(ln, netasync.ListenOptions{})
	require.NoError(t, err)
	conn := testkit.Dial(t, ln.Addr())
	s := testkit.Take(t, l.AcceptChan())
	require.NoError(t, ln.Close())
	testkit.Ended(t, l.AcceptChan())
	send(t, s, "still here")
	expectFrames(t, conn, "still here")
}

// Refused by Serve, a listener is still its owner's.
func TestServeRefuses(t *testing.T) {
	e := newEngine(t)
	_, err := e.Serve(nil, netasync.ListenOptions{})
	require.ErrorContains(t, err, "listener")
	ln := testkit.Listen(t)
	_, err = e.Serve(ln, netasync.ListenOptions{MaxSessions: -1})
	require.ErrorContains(t, err, "MaxSessions")
	endEngine(t, e)
	_, err = e.Serve(ln, netasync.ListenOptions{})
	require.ErrorIs(t, err, netasync.ErrShutdown)
	testkit.Dial(t, ln.Addr())
	testkit.Accept(t, ln)
}

// A Dial that does not heed its context is abandoned, and not called again before it has returned. A
// connection that it returns then is closed.
func TestDialThatOutlastsItsContext(t *testing.T) {
	release := make(chan struct{})
	late, theirs := net.Pipe()
	var calls atomic.Int64
	c, err := newEngine(t).Connect("localhost:1", netasync.ConnectOptions{
		DialTimeout: 20 * time.Millisecond, Backoff: quick,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			if calls.Add(1) == 1 {
				<-release
				return late, nil
			}
			return nil, errors.New("returned")
		},
	})
	require.NoError(t, err)
	require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, context.DeadlineExceeded)
	testkit.Eventually(t, func() bool { return c.Stats().Attempts > 3 }, "further attempts")
	require.EqualValues(t, 1, calls.Load())
	close(release)
	expectEOF(t, theirs)
	testkit.Eventually(t, func() bool { return calls.Load() > 1 }, "a further call")
}

// No connection and no error is an error.
func TestDialOfNothing(t *testing.T) {
	c, err := newEngine(t).Connect("localhost:1", netasync.ConnectOptions{
		Dial: func(context.Context, string, string) (net.Conn, error) { return nil, nil },
	})
	require.NoError(t, err)
	require.ErrorContains(t, expect(t, c, netasync.Disconnected).Err, "no connection")
}
