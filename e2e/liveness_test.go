package e2e_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Heartbeats and silence.

// An idle connection carries a heartbeat in each period, and nobody is told; payloads postpone it.
func TestHeartbeats(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{HeartbeatPeriod: 20 * time.Millisecond, HeartbeatTimeout: time.Minute})
	conn := testkit.Accept(t, ln)
	heartbeats := make([]byte, 5*4)
	_, err := io.ReadFull(conn, heartbeats)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 5*4), heartbeats)
	testkit.Write(t, conn, make([]byte, 4)) // of the peer, not shown
	testkit.Write(t, conn, testkit.Frames("hello"))
	expect(t, c, netasync.Connected)
	expectMessages(t, c, "hello")
	require.EqualValues(t, 1, c.Stats().Received)
}

// An accepted session says one heartbeat at once, whatever its period, unless it is told not to: by
// that a dialed one knows that it has reached a server that works.
func TestGreeting(t *testing.T) {
	doors := map[string]func(*testing.T, netasync.ListenOptions) net.Addr{
		"listener": func(t *testing.T, o netasync.ListenOptions) net.Addr { return listen(t, newEngine(t), o).Addr() },
		"handler":  func(t *testing.T, o netasync.ListenOptions) net.Addr { _, addr := embedBare(t, o); return addr },
	}
	for name, open := range doors {
		for _, secure := range []bool{false, true} {
			for _, inline := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, TLS %v, inline %v", name, secure, inline), func(t *testing.T) {
					o := netasync.ListenOptions{HeartbeatPeriod: time.Hour, Inline: inline, OnEvent: func(*netasync.Session, netasync.Event) {}}
					dial := func(addr net.Addr) net.Conn { return testkit.Dial(t, addr) }
					if secure {
						o.TLS = certificates().server(false)
						dial = func(addr net.Addr) net.Conn {
							config := certificates().client(false)
							config.ServerName = "localhost"
							return tls.Client(testkit.Dial(t, addr), config)
						}
					}
					conn := dial(open(t, o))
					require.NoError(t, conn.SetReadDeadline(time.Now().Add(testkit.Patience)))
					got, err := testkit.ReadFrame(conn)
					require.NoError(t, err)
					require.Empty(t, got)

					o.NoGreeting = true
					conn = dial(open(t, o))
					testkit.Write(t, conn, testkit.Frames("hello")) // a handshake, too
					require.NoError(t, conn.SetReadDeadline(time.Now().Add(silent)))
					_, err = testkit.ReadFrame(conn)
					require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				})
			}
		}
	}
}

// A consumer slower than HeartbeatTimeout loses neither its healthy connection nor a message.
func TestSlowConsumerKeepsConnection(t *testing.T) {
	const timeout = 200 * time.Millisecond
	c, server := pair(t,
		netasync.ListenOptions{HeartbeatPeriod: timeout / 10, HeartbeatTimeout: timeout, ReadBuffer: netasync.Fixed(4)},
		netasync.ConnectOptions{HeartbeatPeriod: timeout / 10, HeartbeatTimeout: time.Minute})
	const messages = 100
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range messages {
			_ = c.Send(context.Background(), testkit.Numbered(i, 100<<10))
		}
	}()
	var sequence testkit.Sequence
	for i := range messages {
		if i == 0 || i == 50 {
			<-time.After(4 * timeout) // this is the slowness, no wait for something
		}
		require.NoError(t, sequence.Take(expect(t, server, netasync.Message).Payload))
	}
	testkit.Ended(t, sent)
	require.NoError(t, c.Close())
	require.ErrorIs(t, expectClosed(t, server).Err, io.EOF)
}

// A client that connects and says nothing is found by the heartbeat timeout.
func TestSilentClient(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{HeartbeatPeriod: 20 * time.Millisecond, HeartbeatTimeout: 60 * time.Millisecond})
	conn := testkit.Dial(t, ln.Addr())
	s := testkit.Take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	require.ErrorIs(t, expectClosed(t, s).Err, netasync.ErrHeartbeatTimeout)
	expectEOF(t, conn)
}

// A client that says next to nothing lives: a byte in each period, also inside a frame.
func TestDribblingClient(t *testing.T) {
	const period, timeout = 50 * time.Millisecond, time.Second
	ln := listen(t, newEngine(t), netasync.ListenOptions{HeartbeatPeriod: period, HeartbeatTimeout: timeout})
	conn := testkit.Dial(t, ln.Addr())
	s := testkit.Take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	var heartbeat [4]byte
	began := time.Now()
	for time.Since(began) < 2*timeout {
		for _, b := range testkit.Frames("slow") {
			testkit.Write(t, conn, []byte{b})
			_, err := io.ReadFull(conn, heartbeat[:]) // its heartbeats tell the time
			require.NoError(t, err)
			require.Zero(t, heartbeat)
		}
		expectMessages(t, s, "slow")
	}
}

// A server that says nothing any more is left, and tried again.
func TestSilentServer(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{
		Backoff: quick, HeartbeatPeriod: 20 * time.Millisecond, HeartbeatTimeout: 60 * time.Millisecond,
	})
	for epoch := range uint64(2) {
		conn := testkit.Accept(t, ln)
		require.Equal(t, epoch+1, expect(t, c, netasync.Connected).Epoch)
		require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, netasync.ErrHeartbeatTimeout)
		expectEOF(t, conn)
	}
}

// A timeout of for ever is for ever, and leaves the neighbours' heartbeats alone.
func TestEndlessHeartbeatTimeout(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{HeartbeatPeriod: 10 * time.Millisecond, HeartbeatTimeout: 50 * time.Millisecond})
	for _, o := range []netasync.ConnectOptions{
		{HeartbeatPeriod: 5 * time.Millisecond, HeartbeatTimeout: math.MaxInt64},
		{HeartbeatPeriod: time.Minute, HeartbeatTimeout: math.MaxInt64},
	} {
		expect(t, connect(t, e, ln.Addr(), o), netasync.Connected)
		s := testkit.Take(t, ln.AcceptChan())
		expect(t, s, netasync.Connected)
		silent := testkit.Dial(t, ln.Addr())
		other := testkit.Take(t, ln.AcceptChan())
		expect(t, other, netasync.Connected)
		require.ErrorIs(t, expectClosed(t, other).Err, netasync.ErrHeartbeatTimeout)
		expectEOF(t, silent)
	}
}
