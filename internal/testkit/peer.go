package testkit

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Peers of plain TCP, which were given nothing of ours.

// Listen returns a plain listener on a port of 127.0.0.1 that is free. It ends with the test.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	return ListenAt(t, "127.0.0.1:0")
}

// ListenAt returns a plain listener at an address. It ends with the test.
func ListenAt(t testing.TB, addr string) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// Accept returns the next connection of a plain listener.
func Accept(t testing.TB, ln net.Listener) *net.TCPConn {
	t.Helper()
	require.NoError(t, ln.(*net.TCPListener).SetDeadline(time.Now().Add(Patience)))
	conn, err := ln.Accept()
	require.NoError(t, err)
	return plain(t, conn)
}

// Dial returns a plain connection to addr.
func Dial(t testing.TB, addr net.Addr) *net.TCPConn {
	t.Helper()
	return DialAt(t, addr.String())
}

// DialAt returns a plain connection to an address.
func DialAt(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, Patience)
	require.NoError(t, err)
	return plain(t, conn)
}

// plain closes a connection with the test, which no read and no write outlasts.
func plain(t testing.TB, conn net.Conn) *net.TCPConn {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(2*Patience)))
	return conn.(*net.TCPConn)
}

// DeadAddr returns an address at which nobody listens at the moment.
func DeadAddr(t testing.TB) net.Addr {
	t.Helper()
	ln := Listen(t)
	require.NoError(t, ln.Close())
	return ln.Addr()
}

// Write writes all of p.
func Write(t testing.TB, w io.Writer, p []byte) {
	t.Helper()
	_, err := w.Write(p)
	require.NoError(t, err)
}
