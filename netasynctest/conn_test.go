package netasynctest_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
	nt "github.com/netasync/netasync/netasynctest"
)

// ends returns both ends of a connection in memory, with what is between them.
func ends(t *testing.T) (client, server net.Conn, link *nt.Link) {
	t.Helper()
	n := nt.NewNetwork(t)
	ln, err := n.Listen("server", ":1")
	require.NoError(t, err)
	client, err = n.Dialer("client")(t.Context(), "tcp", "server:1")
	require.NoError(t, err)
	server, err = ln.Accept()
	require.NoError(t, err)
	return client, server, n.Link("client", "server")
}

// tcp returns both ends of a real connection.
func tcp(t *testing.T) (client, server net.Conn) {
	ln := testkit.Listen(t)
	client = testkit.Dial(t, ln.Addr())
	return client, testkit.Accept(t, ln)
}

// both runs a test over memory and over TCP: what is true of one is to be true of the other.
func both(t *testing.T, test func(t *testing.T, client, server net.Conn)) {
	t.Run("memory", func(t *testing.T) {
		client, server, _ := ends(t)
		test(t, client, server)
	})
	t.Run("tcp", func(t *testing.T) {
		client, server := tcp(t)
		test(t, client, server)
	})
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	n, err := c.Write([]byte(text))
	require.NoError(t, err)
	require.Equal(t, len(text), n)
}

func read(t *testing.T, c net.Conn, want string) {
	t.Helper()
	p := make([]byte, len(want))
	_, err := io.ReadFull(c, p)
	require.NoError(t, err)
	require.Equal(t, want, string(p))
}

// readError wants that reading fails, as errors of package net do.
func readError(t *testing.T, c net.Conn, want error) {
	t.Helper()
	n, err := c.Read(make([]byte, 1))
	require.Zero(t, n)
	require.ErrorIs(t, err, want)
	if !errors.Is(want, io.EOF) {
		var op *net.OpError
		require.ErrorAs(t, err, &op)
	}
}

func writeError(t *testing.T, c net.Conn, want error) {
	t.Helper()
	_, err := c.Write([]byte("x"))
	require.ErrorIs(t, err, want)
}

// Both ends may write first, and what was written belongs to the writer again.
func TestConnIsBuffered(t *testing.T) {
	both(t, func(t *testing.T, client, server net.Conn) {
		p := []byte("from the client")
		_, err := client.Write(p)
		require.NoError(t, err)
		clear(p)
		write(t, server, "from the server")
		read(t, server, "from the client")
		read(t, client, "from the server")
		n, err := client.Write(nil)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestConnHalfClose(t *testing.T) {
	both(t, func(t *testing.T, client, server net.Conn) {
		write(t, client, "question")
		require.NoError(t, client.(interface{ CloseWrite() error }).CloseWrite())
		writeError(t, client, syscall.EPIPE)
		read(t, server, "question")
		readError(t, server, io.EOF)
		write(t, server, "answer")
		require.NoError(t, server.Close())
		read(t, client, "answer")
		readError(t, client, io.EOF)
	})
}

func TestConnClosed(t *testing.T) {
	both(t, func(t *testing.T, client, server net.Conn) {
		blocked := make(chan error)
		go func() {
			_, err := client.Read(make([]byte, 1))
			blocked <- err
		}()
		require.NoError(t, client.Close())
		require.ErrorIs(t, <-blocked, net.ErrClosed)
		readError(t, client, net.ErrClosed)
		writeError(t, client, net.ErrClosed)
		require.ErrorIs(t, client.Close(), net.ErrClosed)
		require.ErrorIs(t, client.SetDeadline(time.Now()), net.ErrClosed)
		readError(t, server, io.EOF)
		testkit.Eventually(t, func() bool { // TCP hears of it with the second
			_, err := server.Write([]byte("x"))
			return errors.Is(err, syscall.EPIPE)
		}, "a write that fails")
	})
}

func TestConnDeadlines(t *testing.T) {
	both(t, func(t *testing.T, client, server net.Conn) {
		write(t, server, "waits")
		require.NoError(t, client.SetDeadline(time.Now().Add(-time.Second)))
		readError(t, client, os.ErrDeadlineExceeded)
		writeError(t, client, os.ErrDeadlineExceeded)
		require.NoError(t, client.SetDeadline(time.Time{}))
		read(t, client, "waits")
		write(t, client, "x")

		require.NoError(t, client.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
		_, err := client.Read(make([]byte, 1))
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())
		write(t, client, "that of reads is not that of writes")

		go func() { // one that is set meanwhile counts
			time.Sleep(10 * time.Millisecond)
			_ = client.SetReadDeadline(time.Now())
		}()
		require.NoError(t, client.SetReadDeadline(time.Now().Add(time.Hour)))
		readError(t, client, os.ErrDeadlineExceeded)

		require.NoError(t, client.SetWriteDeadline(time.Now().Add(10*time.Millisecond)))
		n, err := client.Write(make([]byte, 64<<20)) // nobody reads that
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Less(t, n, 64<<20)
	})
}

// Writes of several goroutines do not mix.
func TestConnWritesInTurn(t *testing.T) {
	both(t, func(t *testing.T, client, server net.Conn) {
		const each = 200_000 // more than the buffer of the one in memory
		var writers sync.WaitGroup
		for i := range 4 {
			writers.Go(func() { _, _ = client.Write(bytes.Repeat([]byte{byte(i)}, each)) })
		}
		go func() { writers.Wait(); _ = client.Close() }()
		all, err := io.ReadAll(server)
		require.NoError(t, err)
		require.Len(t, all, 4*each)
		for p := range 4 {
			part := all[p*each : (p+1)*each]
			require.Equal(t, bytes.Repeat(part[:1], each), part)
		}
	})
}
