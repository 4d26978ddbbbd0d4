package netasynctest_test

import (
	"context"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	nt "github.com/netasync/netasync/netasynctest"
)

// Writing waits for room: there is Buffer, and no more.
func TestBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, link := ends(t)
		for _, c := range []struct{ buffer, room int }{{0, 64 << 10}, {1, 1}, {100_000, 100_000}} {
			link.Buffer(c.buffer)
			require.NoError(t, client.SetWriteDeadline(time.Now().Add(time.Second)))
			n, err := client.Write(make([]byte, 200_000))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Equal(t, c.room, n)
			_, err = io.ReadFull(server, make([]byte, n))
			require.NoError(t, err)
		}
	})
}

// Latency is exact, and what it delays stays in order, also with jitter.
func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, link := ends(t)
		link.Latency(time.Second, 500*time.Millisecond)
		begin := time.Now()
		for i := range 100 {
			write(t, client, string([]byte{byte(i)}))
		}
		var last, first time.Duration
		for i := range 100 {
			read(t, server, string([]byte{byte(i)}))
			last = time.Since(begin)
			if i == 0 {
				first = last
			}
		}
		require.GreaterOrEqual(t, first, time.Second)
		require.Greater(t, last, first)
		require.Less(t, last, 1500*time.Millisecond)

		link.To("server").Latency(time.Minute, 0)
		link.To("client").Latency(time.Hour, 0)
		begin = time.Now()
		write(t, client, "x")
		require.NoError(t, client.Close()) // which comes behind
		read(t, server, "x")
		require.Equal(t, time.Minute, time.Since(begin))
		readError(t, server, io.EOF)
		require.Equal(t, time.Minute, time.Since(begin))
	})
}

// What is under way starts anew when the times change.
func TestTimesThatChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, link := ends(t)
		link.Bandwidth(10)
		write(t, client, string(make([]byte, 1000)))
		begin := time.Now()
		read(t, server, string(make([]byte, 100)))
		require.Equal(t, 10*time.Second, time.Since(begin))
		link.Bandwidth(0)
		read(t, server, string(make([]byte, 900)))
		require.Equal(t, 10*time.Second, time.Since(begin))

		link.Latency(time.Second, 0)
		write(t, client, "y")
		time.Sleep(900 * time.Millisecond)
		link.CutAfter(100) // which is none of the times
		link.Buffer(100)
		begin = time.Now()
		read(t, server, "y")
		require.Equal(t, 100*time.Millisecond, time.Since(begin))
	})
}

// The bandwidth is that of each connection, from one byte a second on.
func TestBandwidth(t *testing.T) {
	for _, b := range []int{1, 99, 100, 1000, 1 << 20} {
		synctest.Test(t, func(t *testing.T) {
			client, server, link := ends(t)
			link.Bandwidth(b)
			begin := time.Now()
			go func() { _, _ = client.Write(make([]byte, 5*b)) }()
			_, err := io.CopyN(io.Discard, server, int64(5*b))
			require.NoError(t, err)
			require.InDelta(t, 5*time.Second, time.Since(begin), float64(10*time.Millisecond))
		})
	}
}

// Exactly so many bytes pass: then one connection is reset, at both ends, and the link is as before.
func TestCutAfter(t *testing.T) {
	for _, latency := range []time.Duration{0, time.Second} {
		for _, n := range []int{0, 1, 2, 9, 10} {
			synctest.Test(t, func(t *testing.T) {
				client, server, link := ends(t)
				link.Latency(latency, 0)
				link.To("server").CutAfter(n)
				write(t, server, "the other direction does not count")
				begin := time.Now()
				got, err := client.Write(make([]byte, 10))
				require.Equal(t, n, got)
				if n < 10 {
					require.ErrorIs(t, err, syscall.ECONNRESET)
				}
				readError(t, client, syscall.ECONNRESET)
				writeError(t, client, syscall.ECONNRESET)
				all, err := io.ReadAll(server)
				require.ErrorIs(t, err, syscall.ECONNRESET)
				require.Len(t, all, n)
				require.Equal(t, latency, time.Since(begin))
				writeError(t, server, syscall.ECONNRESET)
			})
		}
	}
	client, server, link := ends(t)
	link.CutAfter(1)
	link.CutAfter(-1)
	write(t, client, "not cut")
	read(t, server, "not cut")
}

// A reset loses what is under way, and what was not read; Close loses nothing.
func TestCutAndClose(t *testing.T) {
	client, server, link := ends(t)
	write(t, client, "not read")
	link.Cut(errCut)
	for _, c := range []net.Conn{client, server} {
		readError(t, c, errCut)
		writeError(t, c, errCut)
		require.NoError(t, c.Close())
		readError(t, c, net.ErrClosed)
	}

	client, server, link = ends(t)
	write(t, client, "not read")
	link.Vanish()
	write(t, client, ", and under way")
	link.Close()
	writeError(t, client, syscall.EPIPE)
	read(t, server, "not read")
	require.NoError(t, server.SetReadDeadline(time.Now()))
	readError(t, server, os.ErrDeadlineExceeded)
	require.NoError(t, server.SetReadDeadline(time.Time{}))
	link.Heal()
	read(t, server, ", and under way")
	for _, c := range []net.Conn{client, server} {
		readError(t, c, io.EOF)
		writeError(t, c, syscall.EPIPE)
	}
}

// A dial takes the time of both directions, waits while nothing passes, and heeds its context.
func TestDialTakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := nt.NewNetwork(t)
		_, err := n.Listen("server", ":1")
		require.NoError(t, err)
		dial := n.Dialer("client")
		link := n.Link("server", "client")
		link.To("client").Latency(time.Second, 0)
		link.To("server").Latency(time.Minute, 0)
		begin := time.Now()
		_, err = dial(t.Context(), "tcp", "server:1")
		require.NoError(t, err)
		require.Equal(t, 61*time.Second, time.Since(begin))

		link.OneWay("client")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begin = time.Now()
		_, err = dial(ctx, "tcp", "server:1")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Hour, time.Since(begin))
		time.AfterFunc(time.Hour, link.Heal)
		_, err = dial(t.Context(), "tcp", "server:1")
		require.NoError(t, err)
		require.Equal(t, 2*time.Hour, time.Since(begin))
	})
}

// A connection is accepted when the first data may come, as with TCP: a listener that waits for a second
// to hear what its peer says first hears it, however long the way is.
func TestAcceptedBehindTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := nt.NewNetwork(t)
		server, client := n.Engine("server", netasync.EngineOptions{}), n.Engine("client", netasync.EngineOptions{})
		n.Link("client", "server").Latency(10*time.Second, 0)
		l, err := server.Listen(":1", netasync.ListenOptions{Resume: true, HeartbeatTimeout: time.Minute})
		require.NoError(t, err)
		s, err := client.Connect("server:1", netasync.ConnectOptions{
			Resume: true, DialTimeout: time.Minute, HeartbeatTimeout: time.Minute,
		})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.NoError(t, s.WaitConnected(ctx))
		require.EqualValues(t, 1, s.Stats().Attempts)
		<-l.AcceptChan()
	})
}
