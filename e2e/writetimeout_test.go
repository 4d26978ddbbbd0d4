package e2e_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// A peer that sends heartbeats and never reads is ended by WriteTimeout, on the loop and with TLS, also
// while our own user reads nothing.
func TestWriteTimeout(t *testing.T) {
	for _, secure := range []bool{false, true} {
		o := netasync.ListenOptions{WriteTimeout: time.Second, HeartbeatPeriod: time.Hour}
		if secure {
			o.TLS = certificates().server(false)
		}
		ln := listen(t, newEngine(t), o)
		var conn net.Conn = testkit.Dial(t, ln.Addr())
		if secure {
			config := certificates().client(false)
			config.ServerName = "localhost"
			client := tls.Client(conn, config)
			require.NoError(t, client.Handshake())
			conn = client
		}
		testkit.Write(t, conn, testkit.Frames("hello"))
		s := testkit.Take(t, ln.AcceptChan())
		go func() {
			for s.Send(context.Background(), make([]byte, 100_000)) == nil {
			}
		}()
		testkit.Ended(t, s.Done())
		_, closed := untilClosed(t, s)
		require.ErrorIs(t, closed.Err, netasync.ErrWriteTimeout)
	}
}

// A peer that reads slowly is not ended: its host acknowledges a little now and then.
func TestWriteTimeoutOfASlowPeer(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{WriteTimeout: 4 * time.Second, HeartbeatTimeout: time.Hour})
	conn := testkit.Dial(t, ln.Addr())
	require.NoError(t, conn.SetReadBuffer(4<<10))
	s := testkit.Take(t, ln.AcceptChan())
	go func() {
		for s.Send(context.Background(), make([]byte, 100_000)) == nil {
		}
	}()
	for start := time.Now(); time.Since(start) < 10*time.Second; {
		_, err := conn.Read(make([]byte, 1<<10))
		require.NoError(t, err)
		<-time.After(50 * time.Millisecond) // this is the slowness, no wait for something
	}
	require.Equal(t, netasync.StateConnected, s.State())
}
