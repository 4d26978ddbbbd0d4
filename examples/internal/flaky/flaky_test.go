package flaky

import (
	"bufio"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// connect returns both ends of a connection of the link.
func connect(t *testing.T, l *Link) (near, far net.Conn) {
	t.Helper()
	ln := testkit.Listen(t)
	near, err := l.Dial(testkit.Context(t), "tcp", ln.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = near.Close() })
	far, err = ln.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = far.Close() })
	return near, far
}

// flood writes and reads at both ends until all have heard that the connection is over, and returns
// what was written and what was read, in bytes. What is read must be the beginning of what was written.
func flood(t *testing.T, near, far net.Conn) (written, read int64) {
	pattern := make([]byte, 251)
	for i := range pattern {
		pattern[i] = byte(i)
	}
	var sent, got atomic.Int64
	var work sync.WaitGroup
	for _, end := range []net.Conn{near, far} {
		work.Go(func() {
			for {
				n, err := end.Write(pattern)
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
		})
		work.Go(func() {
			in := bufio.NewReader(end)
			for i := 0; ; i++ {
				b, err := in.ReadByte()
				if err != nil {
					got.Add(int64(i))
					return
				}
				if want := byte(i % len(pattern)); b != want {
					t.Errorf("byte %d is %d, want %d", i, b, want)
					_ = end.Close()
					return
				}
			}
		})
	}
	work.Wait()
	return sent.Load(), got.Load()
}

// Each connection is cut, both ends hear of it, and what was written has not all arrived.
func TestConnectionsAreCut(t *testing.T) {
	l := &Link{Every: 5 * time.Millisecond}
	lost := int64(0)
	for n := range 20 {
		require.Equal(t, n, l.Cuts())
		near, far := connect(t, l)
		written, read := flood(t, near, far)
		require.LessOrEqual(t, read, written)
		lost += written - read
	}
	require.Equal(t, 20, l.Cuts())
	require.Positive(t, lost) // one connection may be lucky
}

// What is written on a dead link is taken, and only the first part of it may arrive.
func TestWritesOnADeadLink(t *testing.T) {
	near, far := connect(t, &Link{Every: time.Hour})
	near.(*conn).cut()
	for range 3 {
		n, err := near.Write([]byte("message"))
		require.NoError(t, err)
		require.Equal(t, 7, n)
	}
	require.NoError(t, near.Close())
	arrived, err := io.ReadAll(far)
	require.NoError(t, err)
	require.Less(t, len(arrived), 7)
	require.Equal(t, "message"[:len(arrived)], string(arrived))
}

// A calm link, and a connection that was closed, are not cut.
func TestCalm(t *testing.T) {
	l := &Link{Every: time.Hour}
	closed, _ := connect(t, l)
	require.NoError(t, closed.Close())
	closed.(*conn).cut()
	near, far := connect(t, l)
	l.Calm()
	near.(*conn).cut()
	require.Zero(t, l.Cuts())
	_, err := near.Write([]byte("message"))
	require.NoError(t, err)
	require.NoError(t, near.(*conn).CloseWrite())
	arrived, err := io.ReadAll(far)
	require.NoError(t, err)
	require.Equal(t, "message", string(arrived))
}
