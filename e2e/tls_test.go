package e2e_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// The dialed host is the name that the server's certificate is checked for, unless another is
// given.
func TestServerName(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{TLS: certificates().server(false)})
	config := certificates().client(false)
	expect(t, connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: config}), netasync.Connected)
	require.Empty(t, config.ServerName, "options are never written to")

	config.ServerName = "localhost"
	expect(t, connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: config}), netasync.Connected)

	config.ServerName = "example.com"
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: config, MaxAttempts: 1})
	var wrong x509.HostnameError
	require.ErrorAs(t, expect(t, c, netasync.Disconnected).Err, &wrong)
	require.ErrorAs(t, expectClosed(t, c).Err, &wrong)
}

// A server that nobody vouches for is not talked to.
func TestUnknownAuthority(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{TLS: certificates().server(false)})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: &tls.Config{RootCAs: x509.NewCertPool()}, MaxAttempts: 1})
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, expect(t, c, netasync.Disconnected).Err, &unknown)
	testkit.Eventually(t, func() bool { return e.Stats().Refused == 1 }, "the server refused it, too")
}

// A client without a certificate does not become a session where one is asked for.
func TestClientWithoutCertificate(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{TLS: certificates().server(true)})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: certificates().client(false), Backoff: netasync.FixedDelay(time.Hour)})
	ev := next(t, c)
	// With TLS 1.3 a client learns of the refusal after its handshake.
	if ev.Kind == netasync.Connected {
		ev = next(t, c)
	}
	require.Equal(t, netasync.Disconnected, ev.Kind)
	require.Error(t, ev.Err)
	// Its alert is faster than the count.
	testkit.Eventually(t, func() bool { return e.Stats().Refused == 1 }, "refused")
	require.Zero(t, e.Stats().Accepted)
}

// A TLS client on a plain port: its hello is no length. Both sides are told.
func TestTLSClientOnPlainPort(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: &tls.Config{InsecureSkipVerify: true}, Backoff: quick, MaxAttempts: 1})
	s := testkit.Take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	require.ErrorIs(t, expectClosed(t, s).Err, netasync.ErrFrameTooLarge)
	require.Error(t, expect(t, c, netasync.Disconnected).Err)
	require.Error(t, expectClosed(t, c).Err)
}

// A plain client on a TLS port is refused, and nobody is bothered with it.
func TestPlainClientOnTLSPort(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{TLS: certificates().server(false)})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{Backoff: netasync.FixedDelay(time.Hour)})
	expect(t, c, netasync.Connected)
	send(t, c, "a message, not a handshake")
	require.Error(t, expect(t, c, netasync.Disconnected).Err)
	// Its alert is faster than the count.
	testkit.Eventually(t, func() bool { return e.Stats().Refused == 1 }, "refused")
	require.Zero(t, e.Stats().Accepted)

	good := connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: certificates().client(false)})
	expect(t, good, netasync.Connected)
	testkit.Take(t, ln.AcceptChan())
}

// A client whose handshake fails hangs up.
func TestFailedHandshakeClosesTheConnection(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{TLS: certificates().client(false), Backoff: netasync.FixedDelay(time.Hour)})
	conn := testkit.Accept(t, ln)
	testkit.Write(t, conn, []byte("this is no TLS, and never will be"))
	expect(t, c, netasync.Disconnected)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(2*time.Second)))
	buf := make([]byte, 4096)
	for {
		if _, err := conn.Read(buf); err != nil {
			var timeout net.Error
			require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the connection is still open")
			return
		}
	}
}

// A TLS server that never answers is given up after DialTimeout.
func TestHandshakeTimeout(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{
		TLS: certificates().client(false), DialTimeout: 50 * time.Millisecond, Backoff: quick,
	})
	testkit.Accept(t, ln)
	err := expect(t, c, netasync.Disconnected).Err
	var timeout net.Error
	require.True(t, errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout(), "%v", err)
	testkit.Accept(t, ln) // and tried again
}

// Peers that connect and say nothing keep nobody out.
func TestHandshakeBesideSilentPeers(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{TLS: certificates().server(false)})
	for range 300 {
		testkit.Dial(t, ln.Addr())
	}
	require.True(t, testkit.Within(4*time.Second, func() { // they are given 5 s each
		conn, err := tls.Dial("tcp", ln.Addr().String(), certificates().client(false))
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}))
}

// A full socket holds the alert back with which TLS says goodbye; Linger bounds that, too.
func TestLingerBoundsTheGoodbyeOfTLS(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path) // its buffer holds as many messages each time
	require.NoError(t, err)
	defer ln.Close()
	begin := func() *netasync.Session {
		config := certificates().client(false)
		config.ServerName = "localhost"
		s, err := newEngine(t).Connect("unix:"+path, netasync.ConnectOptions{TLS: config, Linger: 50 * time.Millisecond})
		require.NoError(t, err)
		raw, err := ln.Accept()
		require.NoError(t, err)
		t.Cleanup(func() { _ = raw.Close() })
		// The server reads nothing after its handshake.
		require.NoError(t, tls.Server(raw, certificates().server(false)).Handshake())
		expect(t, s, netasync.Connected)
		return s
	}
	fill := func(s *netasync.Session, most int) int {
		for n := range most {
			send(t, s, string(make([]byte, 1000)))
			for start := time.Now(); s.Stats().Queued > 0; time.Sleep(time.Millisecond) {
				if time.Since(start) > 200*time.Millisecond {
					return n
				}
			}
		}
		return most
	}
	fits := fill(begin(), 1<<20)
	s := begin()
	require.Equal(t, fits, fill(s, fits))
	require.NoError(t, s.Close())
	require.True(t, testkit.Within(4*time.Second, func() { <-s.Done() })) // TLS would wait for 5 s
}
