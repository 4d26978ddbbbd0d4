package e2e_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Sessions that live in one of many engines: where a peer comes back to another one, Route passes its
// connection on, and ServeConn takes it.

// twoNodes are two engines that pass connections on to each other.
type twoNodes struct {
	t      *testing.T
	a, b   *netasync.Listener
	inward net.Listener // connections from b to a
	passes atomic.Bool  // b passes them on
	infos  chan netasync.ConnInfo
}

func newTwoNodes(t *testing.T, o netasync.ListenOptions) *twoNodes {
	t.Helper()
	return newNodes(t, o, o)
}

func newNodes(t *testing.T, a, b netasync.ListenOptions) *twoNodes {
	t.Helper()
	n := &twoNodes{t: t, inward: testkit.Listen(t), infos: make(chan netasync.ConnInfo, 100)}
	n.passes.Store(true)
	a.Resume, a.TokenPrefix = true, []byte("node a  ")
	n.a = listen(t, newEngine(t), a)
	b.Resume, b.TokenPrefix, b.Route = true, []byte("node b  "), n.route
	n.b = listen(t, newEngine(t), b)
	return n
}

// route is Route of b.
func (n *twoNodes) route(token []byte, conn net.Conn, hello []byte, info netasync.ConnInfo) bool {
	if !n.passes.Load() {
		return false
	}
	if string(token[:8]) != "node a  " {
		n.t.Errorf("asked about the token %q", token)
	}
	out, err := net.Dial("tcp", n.inward.Addr().String())
	if err != nil {
		return false
	}
	in, err := n.inward.Accept()
	if err != nil || n.a.ServeConn(in, info) != nil {
		return false
	}
	n.infos <- info
	if _, err = out.Write(hello); err != nil {
		n.t.Error(err)
	}
	go splice(out, conn)
	go splice(conn, out)
	return true
}

func splice(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

// wanderer is a client that reaches one listener or the other, and whose connection can be cut.
type wanderer struct {
	cutter
	at atomic.Pointer[netasync.Listener]
}

func (w *wanderer) options(o netasync.ConnectOptions) netasync.ConnectOptions {
	o.Resume, o.Backoff, o.Dial = true, quick, w.dial
	o.Resolve = func(context.Context) ([]string, error) { return []string{w.at.Load().Addr().String()}, nil }
	return o
}

// A session stays where it lives, and goes on exactly once, at whichever node its peer comes in.
func TestResumeAtAnotherNode(t *testing.T) {
	for name, encrypted := range map[string]bool{"tcp": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			var o netasync.ListenOptions
			var co netasync.ConnectOptions
			if encrypted {
				o.TLS = certificates().server(true)
				co.TLS = certificates().client(true)
			}
			n := newTwoNodes(t, o)
			w := &wanderer{}
			w.at.Store(n.a)
			s, err := newEngine(t).Connect("", w.options(co))
			require.NoError(t, err)
			accepted := testkit.Take(t, n.a.AcceptChan())
			expect(t, s, netasync.Connected)
			expect(t, accepted, netasync.Connected)

			for i := range 20 {
				if w.at.Store(n.a); i%2 == 0 {
					w.at.Store(n.b)
				}
				send(t, s, fmt.Sprint("there ", i))
				send(t, accepted, fmt.Sprint("back ", i))
				w.cut(i%3 == 0)
				require.True(t, untilResumed(t, s, fmt.Sprint("back ", i)))
				require.True(t, untilResumed(t, accepted, fmt.Sprint("there ", i)))
				if i%2 == 0 {
					info := testkit.Take(t, n.infos)
					require.Equal(t, encrypted, info.Secure)
					require.Equal(t, info.Remote.String(), accepted.RemoteAddr().String(), "that of the peer, not of the node")
					if encrypted {
						require.Equal(t, "CN=alice", info.Identity)
					}
				}
			}
			require.NoError(t, s.Close())
			expectClosed(t, s)
			expectClosed(t, accepted)
			require.Zero(t, s.Stats().Lost)
			require.Empty(t, n.b.AcceptChan(), "it has never lived here")
		})
	}
}

// untilResumed reads until a session is connected again and a message has come, once.
func untilResumed(t *testing.T, s *netasync.Session, text string) bool {
	t.Helper()
	resumed, came := false, 0
	for !resumed || came == 0 {
		switch ev := next(t, s); ev.Kind {
		case netasync.Connected:
			resumed = ev.Resumed
			require.True(t, resumed)
		case netasync.Message:
			require.Equal(t, text, string(ev.Payload))
			came++
		}
	}
	return came == 1
}

// Where the session's node cannot be reached, a session begins, and the peer is told what may be lost.
func TestResumeWhereRouteFails(t *testing.T) {
	n := newTwoNodes(t, netasync.ListenOptions{})
	w := &wanderer{}
	w.at.Store(n.a)
	s, err := newEngine(t).Connect("", w.options(netasync.ConnectOptions{}))
	require.NoError(t, err)
	testkit.Take(t, n.a.AcceptChan())
	expect(t, s, netasync.Connected)
	n.passes.Store(false)
	w.at.Store(n.b)
	w.cut(false)
	expect(t, s, netasync.Disconnected)
	require.False(t, expect(t, s, netasync.Connected).Resumed)
	fresh := testkit.Take(t, n.b.AcceptChan())
	expect(t, fresh, netasync.Connected)
	send(t, s, "hello")
	expectMessages(t, fresh, "hello")
}

// Somebody else cannot have a session by way of another node.
func TestResumeByRouteIsForItsOwner(t *testing.T) {
	n := newTwoNodes(t, netasync.ListenOptions{Identify: func(_ context.Context, conn net.Conn) (string, error) {
		return conn.RemoteAddr().String(), nil // each connection is somebody else
	}})
	w := &wanderer{}
	w.at.Store(n.a)
	s, err := newEngine(t).Connect("", w.options(netasync.ConnectOptions{}))
	require.NoError(t, err)
	testkit.Take(t, n.a.AcceptChan())
	expect(t, s, netasync.Connected)
	w.at.Store(n.b)
	w.cut(false)
	expect(t, s, netasync.Disconnected)
	testkit.Eventually(t, func() bool { return s.Stats().Attempts > 2 }, "it tries")
	require.Equal(t, netasync.StateDisconnected, stateUnlessDialing(s))
	s.CloseNow(nil)
}

func stateUnlessDialing(s *netasync.Session) netasync.State {
	if state := s.State(); state != netasync.StateConnecting {
		return state
	}
	return netasync.StateDisconnected
}

// ServeConn also takes peers that know nothing of resumption, and connections with TLS.
func TestServeConn(t *testing.T) {
	for name, resumes := range map[string]bool{"plain": false, "Resume": true} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t, newEngine(t), netasync.ListenOptions{Resume: resumes, Authorize: func(net.Conn) error {
				t.Error("who has accepted the connection was to ask")
				return nil
			}})
			inward := testkit.Listen(t)
			peer := testkit.Dial(t, inward.Addr())
			remote := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 7}
			require.NoError(t, ln.ServeConn(testkit.Accept(t, inward), netasync.ConnInfo{Remote: remote, Identity: "ada"}))
			testkit.Write(t, peer, testkit.Frames("hello"))
			s := testkit.Take(t, ln.AcceptChan())
			require.Equal(t, "ada", s.Identity())
			expect(t, s, netasync.Connected)
			require.Equal(t, remote.String(), s.RemoteAddr().String())
			expectMessages(t, s, "hello")

			secret := testkit.Dial(t, inward.Addr())
			server := tls.Server(testkit.Accept(t, inward), certificates().server(false))
			client := tls.Client(secret, serverNamed("localhost"))
			go func() { _ = client.Handshake() }()
			require.NoError(t, server.Handshake())
			require.NoError(t, ln.ServeConn(server, netasync.ConnInfo{Secure: true}))
			testkit.Write(t, client, testkit.Frames("hello"))
			s = testkit.Take(t, ln.AcceptChan())
			expect(t, s, netasync.Connected)
			require.Equal(t, secret.LocalAddr().String(), s.RemoteAddr().String())
			expectMessages(t, s, "hello")

			require.NoError(t, ln.Close())
			require.ErrorIs(t, ln.ServeConn(peer, netasync.ConnInfo{}), net.ErrClosed)
			testkit.Write(t, peer, testkit.Frames("it is still open"))
		})
	}
}

func serverNamed(name string) *tls.Config {
	c := certificates().client(false)
	c.ServerName = name
	return c
}
