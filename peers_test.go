package netasync_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Peers of plain TCP, which were given nothing of ours, and what they say.

// rawListen returns a listener of plain TCP: a peer that was given nothing of ours.
func rawListen(t testing.TB) net.Listener {
	t.Helper()
	return rawListenAt(t, "127.0.0.1:0")
}

func rawListenAt(t testing.TB, addr string) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

func rawAccept(t testing.TB, ln net.Listener) *net.TCPConn {
	t.Helper()
	require.NoError(t, ln.(*net.TCPListener).SetDeadline(time.Now().Add(patience)))
	conn, err := ln.Accept()
	require.NoError(t, err)
	return rawConn(t, conn)
}

func rawDial(t testing.TB, addr net.Addr) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr.String(), patience)
	require.NoError(t, err)
	return rawConn(t, conn)
}

func rawConn(t testing.TB, conn net.Conn) *net.TCPConn {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(2*patience)))
	return conn.(*net.TCPConn)
}

// deadAddr returns an address at which nobody listens at the moment.
func deadAddr(t testing.TB) net.Addr {
	t.Helper()
	ln := rawListen(t)
	require.NoError(t, ln.Close())
	return ln.Addr()
}

// frames writes messages as they stand on the default wire.
func frames(texts ...string) []byte {
	var wire []byte
	for _, text := range texts {
		wire = binary.BigEndian.AppendUint32(wire, uint32(len(text)))
		wire = append(wire, text...)
	}
	return wire
}

func write(t testing.TB, w io.Writer, wire []byte) {
	t.Helper()
	_, err := w.Write(wire)
	require.NoError(t, err)
}

// readFrame reads one message off the default wire, past heartbeats.
func readFrame(r io.Reader) ([]byte, error) {
	for {
		var header [4]byte
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return nil, err
		}
		if size := binary.BigEndian.Uint32(header[:]); size > 0 {
			payload := make([]byte, size)
			_, err := io.ReadFull(r, payload)
			return payload, err
		}
	}
}

func expectFrames(t testing.TB, r io.Reader, texts ...string) {
	t.Helper()
	for _, want := range texts {
		got, err := readFrame(r)
		require.NoError(t, err, "want %.40q", want)
		require.Equal(t, want, string(got))
	}
}

// expectEOF wants the peer to end the connection in an orderly way, heartbeats aside.
func expectEOF(t testing.TB, r io.Reader) {
	t.Helper()
	got, err := readFrame(r)
	require.ErrorIs(t, err, io.EOF, "got %.40q", got)
}

func portOf(addr net.Addr) int { return addr.(*net.TCPAddr).Port }
