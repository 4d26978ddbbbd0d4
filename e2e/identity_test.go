package e2e_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Who the peer of a session is.

// subject identifies a peer by its certificate.
func subject(_ context.Context, conn net.Conn) (string, error) {
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

// subjectOf returns who the peer of a session has proved to be by TLS.
func subjectOf(t *testing.T, s *netasync.Session) string {
	t.Helper()
	state, ok := s.TLS()
	require.True(t, ok)
	require.True(t, state.HandshakeComplete)
	return state.PeerCertificates[0].Subject.CommonName
}

// Identify names the peer, for as long as there is a session; TLS tells of both ends.
func TestIdentifyByCertificate(t *testing.T) {
	var authorized atomic.Bool
	o := netasync.ListenOptions{
		TLS:       certificates().server(true),
		Authorize: func(net.Conn) error { authorized.Store(true); return nil },
		Identify: func(ctx context.Context, conn net.Conn) (string, error) {
			if !authorized.Load() {
				return "", errors.New("Authorize comes first")
			}
			return subject(ctx, conn)
		},
	}
	eachEntrance(t, o, func(t *testing.T, en entrance) {
		c := connect(t, newEngine(t), en.addr, netasync.ConnectOptions{TLS: certificates().client(true)})
		s := testkit.Take(t, en.accept)
		require.Equal(t, "alice", s.Identity())
		require.Equal(t, "alice", subjectOf(t, s))
		expect(t, c, netasync.Connected)
		require.Empty(t, c.Identity())
		require.Equal(t, "server", subjectOf(t, c))
		require.NoError(t, c.Close())
		expect(t, s, netasync.Connected)
		expectClosed(t, s)
		expectClosed(t, c)
		require.Equal(t, "alice", s.Identity())
		require.Equal(t, "alice", subjectOf(t, s), "of the last connection")
		require.Equal(t, "server", subjectOf(t, c), "of the last connection")
	})
}

// A callback finds the identity from the first event on.
func TestIdentityInCallbacks(t *testing.T) {
	told := make(chan string, 1)
	ln := listen(t, newEngine(t), netasync.ListenOptions{
		Identify: func(_ context.Context, conn net.Conn) (string, error) { return conn.RemoteAddr().String(), nil },
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Connected {
				told <- s.Identity()
			}
		},
	})
	conn := testkit.Dial(t, ln.Addr())
	require.Equal(t, conn.LocalAddr().String(), testkit.Take(t, told))
}

// A session without Identify has no identity, and without TLS there is no state of it.
func TestNoIdentity(t *testing.T) {
	c, s := pair(t, netasync.ListenOptions{}, netasync.ConnectOptions{})
	for _, s := range []*netasync.Session{c, s} {
		require.Empty(t, s.Identity())
		_, ok := s.TLS()
		require.False(t, ok)
	}
}

// Both Authorize and Identify may refuse, and the second is not asked when the first does.
func TestIdentifyRefuses(t *testing.T) {
	var asked atomic.Int32
	refuse := errors.New("not one of us")
	o := netasync.ListenOptions{
		Authorize: func(conn net.Conn) error {
			if asked.Load() > 0 {
				return refuse
			}
			return nil
		},
		Identify: func(context.Context, net.Conn) (string, error) { asked.Add(1); return "somebody", refuse },
	}
	eachEntrance(t, o, func(t *testing.T, en entrance) {
		asked.Store(0)
		for range 2 {
			isCut(t, testkit.Dial(t, en.addr))
		}
		testkit.Eventually(t, func() bool { return en.stats().Refused == 2 }, "both are counted")
		require.EqualValues(t, 1, asked.Load())
		require.Zero(t, en.stats().Accepted)
		require.Empty(t, en.accept)
	})
}

// Identify's context has the deadline of HandshakeTimeout, and ends with it. The call keeps its place
// under MaxPending until it returns, and what it returns then does not matter.
func TestHandshakeTimeoutOfIdentify(t *testing.T) {
	over, proceed := make(chan error, 10), make(chan struct{})
	var called atomic.Int32
	o := netasync.ListenOptions{
		MaxPending: 1, HandshakeTimeout: 200 * time.Millisecond,
		Identify: func(ctx context.Context, _ net.Conn) (string, error) {
			if called.Add(1) > 1 {
				return "", nil
			}
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > time.Second {
				over <- fmt.Errorf("the deadline is %v", deadline)
			}
			<-ctx.Done()
			over <- ctx.Err()
			<-proceed
			return "late", nil
		},
	}
	eachEntrance(t, o, func(t *testing.T, en entrance) {
		called.Store(0)
		conn := testkit.Dial(t, en.addr)
		require.ErrorIs(t, testkit.Take(t, over), context.DeadlineExceeded)
		isCut(t, conn)
		require.Zero(t, en.stats().Refused, "Identify has not returned")
		second := testkit.Dial(t, en.addr)
		if en.refuses {
			isCut(t, second)
		}
		require.EqualValues(t, 1, called.Load(), "one call at a time")
		testkit.Put(t, proceed, struct{}{})
		testkit.Eventually(t, func() bool { return en.stats().Refused >= 1 }, "the first is refused")
		testkit.Eventually(t, func() bool { testkit.Dial(t, en.addr); return len(en.accept) > 0 }, "there is room again")
		require.Empty(t, testkit.Take(t, en.accept).Identity())
	})
}

// The context ends with the listener, the engine and the handler.
func TestIdentifyEndsWithItsOwner(t *testing.T) {
	for name, begin := range map[string]func(*testing.T, netasync.ListenOptions) (net.Addr, func()){
		"the listener": func(t *testing.T, o netasync.ListenOptions) (net.Addr, func()) {
			ln := listen(t, newEngine(t), o)
			return ln.Addr(), func() { require.NoError(t, ln.Close()) }
		},
		"the engine": func(t *testing.T, o netasync.ListenOptions) (net.Addr, func()) {
			e := newEngine(t)
			return listen(t, e, o).Addr(), func() { require.NoError(t, e.Shutdown(testkit.Context(t))) }
		},
		"the handler": func(t *testing.T, o netasync.ListenOptions) (net.Addr, func()) {
			h, addr := embedBare(t, o)
			return addr, func() { require.NoError(t, h.Shutdown(testkit.Context(t))) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked, over := make(chan struct{}, 1), make(chan error, 1)
			addr, end := begin(t, netasync.ListenOptions{HandshakeTimeout: time.Hour, Identify: func(ctx context.Context, _ net.Conn) (string, error) {
				asked <- struct{}{}
				<-ctx.Done()
				over <- ctx.Err()
				return "", ctx.Err()
			}})
			conn := testkit.Dial(t, addr)
			testkit.Take(t, asked)
			end()
			require.ErrorIs(t, testkit.Take(t, over), context.Canceled)
			isCut(t, conn)
		})
	}
}

// Authorize and Identify get a socket that can be asked, also where a part was read of it before.
func TestIdentifyGetsASocket(t *testing.T) {
	types := make(chan string, 10)
	o := netasync.ListenOptions{
		Authorize: func(conn net.Conn) error { types <- fmt.Sprintf("%T", conn); return nil },
		Identify: func(_ context.Context, conn net.Conn) (string, error) {
			types <- fmt.Sprintf("%T", conn)
			return "", nil
		},
	}
	_, late := embed(t, o) // it looks at the first bytes
	_, early := embedBare(t, o)
	e := newEngine(t)
	unix := listenAt(t, e, "unix:"+filepath.Join(t.TempDir(), "s"), o)
	for _, c := range []struct {
		addr net.Addr
		want string
	}{{late, "*net.TCPConn"}, {early, "*net.TCPConn"}, {listen(t, e, o).Addr(), "*net.TCPConn"}, {unix.Addr(), "*net.UnixConn"}} {
		conn, err := net.Dial(c.addr.Network(), c.addr.String())
		require.NoError(t, err)
		testkit.Write(t, conn, testkit.Frames("hello"))
		require.Equal(t, c.want, testkit.Take(t, types))
		require.Equal(t, c.want, testkit.Take(t, types))
		require.NoError(t, conn.Close())
	}
}

// A dialed session tells of the TLS of its last connection, and before the first of none.
func TestTLSOfADialedSession(t *testing.T) {
	raw := testkit.Listen(t)
	c := connect(t, newEngine(t), raw.Addr(), netasync.ConnectOptions{TLS: certificates().client(false), Backoff: quick})
	var sessions []uint16
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := certificates().server(false)
		config.MinVersion, config.MaxVersion = version, version
		conn := testkit.Accept(t, raw)
		if len(sessions) == 0 {
			_, ok := c.TLS()
			require.False(t, ok, "there was no connection yet")
		}
		server := tls.Server(conn, config)
		require.NoError(t, server.Handshake())
		testkit.Write(t, server, testkit.Frames("hello"))
		expect(t, c, netasync.Connected)
		expectMessages(t, c, "hello")
		require.NoError(t, server.Close())
		expect(t, c, netasync.Disconnected)
		state, ok := c.TLS()
		require.True(t, ok)
		sessions = append(sessions, state.Version)
	}
	require.Equal(t, []uint16{tls.VersionTLS12, tls.VersionTLS13}, sessions)
}

// A listener and a Dial of the user's may speak TLS themselves.
func TestTLSOfTheUsersOwn(t *testing.T) {
	config := certificates().client(true)
	config.ServerName = "localhost"
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){
		"shaken": (&tls.Dialer{Config: config}).DialContext,
		"not yet shaken": func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return tls.Client(conn, config), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t)
			ln, err := e.Serve(tls.NewListener(testkit.Listen(t), certificates().server(true)), netasync.ListenOptions{Identify: subject})
			require.NoError(t, err)
			c := connect(t, e, ln.Addr(), netasync.ConnectOptions{Dial: dial, Backoff: quick})
			s := testkit.Take(t, ln.AcceptChan())
			require.Equal(t, "alice", s.Identity())
			require.Equal(t, "alice", subjectOf(t, s))
			expect(t, c, netasync.Connected)
			require.Equal(t, "server", subjectOf(t, c))
			send(t, s, "hello")
			expectMessages(t, c, "hello")
		})
	}
}

// A peer that says nothing to a listener of the user's own that speaks TLS is cut off, too.
func TestHandshakeTimeoutOfTheUsersTLS(t *testing.T) {
	e := newEngine(t)
	ln, err := e.Serve(tls.NewListener(testkit.Listen(t), certificates().server(false)), netasync.ListenOptions{
		HandshakeTimeout: 50 * time.Millisecond,
	})
	require.NoError(t, err)
	isCut(t, testkit.Dial(t, ln.Addr()))
	testkit.Eventually(t, func() bool { return e.Stats().Refused == 1 }, "it is counted")
}

// A server that does not answer the handshake of a Dial's TLS is given up after DialTimeout.
func TestHandshakeOfADialsTLS(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{
		DialTimeout: 50 * time.Millisecond, Backoff: quick,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return tls.Client(conn, certificates().client(false)), err
		},
	})
	first := testkit.Accept(t, ln)
	require.Error(t, expect(t, c, netasync.Disconnected).Err)
	testkit.Accept(t, ln) // and tried again
	require.NoError(t, first.Close())
}
