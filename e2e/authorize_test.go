package e2e_test

import (
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Which connections become sessions.

// Authorize sees the peer's certificate, and its error keeps a connection from being a session.
func TestAuthorizeByCertificate(t *testing.T) {
	for _, name := range []string{"alice", "bob"} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan string, 1)
			e := newEngine(t)
			ln := listen(t, e, netasync.ListenOptions{
				TLS: certificates().server(true),
				Authorize: func(conn net.Conn) error {
					peer := conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
					asked <- peer
					if peer != name {
						return errors.New("not one of us")
					}
					return nil
				},
			})
			c := connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: certificates().client(true), Backoff: netasync.FixedDelay(time.Hour)})
			require.Equal(t, "alice", testkit.Take(t, asked))
			expect(t, c, netasync.Connected)
			if name == "bob" {
				require.Error(t, expect(t, c, netasync.Disconnected).Err)
				require.EqualValues(t, 1, e.Stats().Refused)
				require.Empty(t, ln.AcceptChan())
				return
			}
			send(t, testkit.Take(t, ln.AcceptChan()), "welcome")
			expectMessages(t, c, "welcome")
		})
	}
}

// Authorize works without TLS, too, takes its time, and holds up no other connection.
func TestAuthorizePlain(t *testing.T) {
	release := make(chan struct{})
	refused := make(chan string, 1)
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{Authorize: func(conn net.Conn) error {
		if remote := conn.RemoteAddr().String(); len(refused) == 0 {
			refused <- remote
			<-release
			return errors.New("too slow")
		}
		return nil
	}})
	slow := testkit.Dial(t, ln.Addr())
	testkit.Eventually(t, func() bool { return len(refused) == 1 }, "Authorize was asked")
	good := testkit.Dial(t, ln.Addr())
	testkit.Write(t, good, testkit.Frames("hello"))
	s := testkit.Take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, "hello")

	close(release)
	expectEOF(t, slow)
	require.Equal(t, slow.LocalAddr().String(), <-refused)
	require.EqualValues(t, 1, e.Stats().Refused)
	require.EqualValues(t, 1, e.Stats().Accepted)
}

// More are refused than may be admitted, or open, at a time.
func TestRefusalsTakeNoRoomForGood(t *testing.T) {
	e := newEngine(t)
	var admit atomic.Bool
	ln := listen(t, e, netasync.ListenOptions{MaxSessions: 1, Authorize: func(net.Conn) error {
		if admit.Load() {
			return nil
		}
		return errors.New("no")
	}})
	for range 150 { // more than MaxPending
		expectEOF(t, testkit.Dial(t, ln.Addr()))
	}
	admit.Store(true)
	testkit.Dial(t, ln.Addr())
	testkit.Take(t, ln.AcceptChan())
}
