package netasync_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// What arrives in pieces, and what breaks in the middle.

// A frame in one-byte pieces is a message.
func TestOneBytePieces(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{})
	conn := rawDial(t, ln.Addr())
	s := take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	for _, b := range frames("one", "byte", "at a time") {
		write(t, conn, []byte{b}) // TCP_NODELAY is Go's default
	}
	expectMessages(t, s, "one", "byte", "at a time")
}

// A thousand frames in one write are a thousand messages, whichever link carries them.
func TestThousandFramesInOneWrite(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{})
	conn := rawDial(t, ln.Addr())
	texts := numbered(1000)
	write(t, conn, frames(texts...))
	s := take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, texts...)
}

// The end of a peer within a frame is an unexpected one.
func TestEOFWithinFrame(t *testing.T) {
	for name, piece := range map[string][]byte{
		"half a header":  {0, 0},
		"header alone":   {0, 0, 0, 5},
		"half a payload": {0, 0, 0, 5, 'h', 'e'},
	} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t, newEngine(t), netasync.ListenOptions{})
			conn := rawDial(t, ln.Addr())
			write(t, conn, append(frames("whole"), piece...))
			require.NoError(t, conn.Close())
			s := take(t, ln.AcceptChan())
			expect(t, s, netasync.Connected)
			expectMessages(t, s, "whole")
			require.ErrorIs(t, expectClosed(t, s).Err, io.ErrUnexpectedEOF)
		})
	}
}

// What was left of a frame at a break is dropped: framing begins anew.
func TestPartialInboundFrameIsDropped(t *testing.T) {
	ln := rawListen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: quick})
	conn := rawAccept(t, ln)
	write(t, conn, []byte{0, 0, 1, 0, 'p', 'a', 'r', 't'})
	require.NoError(t, conn.Close())
	expect(t, c, netasync.Connected)
	require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, io.ErrUnexpectedEOF)
	write(t, rawAccept(t, ln), frames("whole"))
	expect(t, c, netasync.Connected)
	expectMessages(t, c, "whole")
}

// A peer that closes one half has closed: what it said before is delivered first, a late reply is lost.
func TestHalfClose(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{})
	conn := rawDial(t, ln.Addr())
	texts := numbered(500)
	write(t, conn, frames(texts...))
	require.NoError(t, conn.CloseWrite())
	s := take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, texts...)
	require.ErrorIs(t, expectClosed(t, s).Err, io.EOF)
	require.ErrorIs(t, s.Send(background(t), []byte("late")), netasync.ErrClosed)
	expectEOF(t, conn)
}

// A server that is killed in the middle of a frame gets the frame again, whole, and then what was queued behind it.
func TestBreakWithinOutboundFrame(t *testing.T) {
	const size = 16 << 20 // more than the sockets of both ends hold
	big := strings.Repeat("0123456789abcdef", size/16)
	kill := map[string]func(*net.TCPConn) error{
		"FIN": (*net.TCPConn).CloseWrite, // with bytes unread, Close would reset
		"RST": func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) },
	}
	for name, kill := range kill {
		t.Run(name, func(t *testing.T) {
			ln := rawListen(t)
			c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{
				Backoff: quick, WriteBuffer: netasync.Buffer{Bytes: 2 * size},
			})
			conn := rawAccept(t, ln)
			require.NoError(t, conn.SetReadBuffer(64<<10))
			expect(t, c, netasync.Connected)
			send(t, c, "small", big, "behind", "it")
			expectFrames(t, conn, "small")
			_, err := io.ReadFull(conn, make([]byte, 100_000))
			require.NoError(t, err)
			require.NoError(t, kill(conn))

			ev := expect(t, c, netasync.Disconnected)
			require.Error(t, ev.Err)
			require.Equal(t, 3, ev.Queued)
			expectFrames(t, rawAccept(t, ln), big, "behind", "it")
			expect(t, c, netasync.Connected)
			eventually(t, func() bool { return c.Stats().Sent == 4 }, "each counted once")
		})
	}
}

// What is sent while the connection comes and goes arrives in order, and at most once.
func TestManyBreaks(t *testing.T) {
	const breaks = 20
	ln := rawListen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: netasync.FixedDelay(time.Millisecond)})
	stop, stopped := context.WithCancel(context.Background())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for n := 0; stop.Err() == nil; n++ {
			_ = c.Send(stop, bytes.Repeat([]byte{byte(n), byte(n >> 8), byte(n >> 16)}, 1+n%2000))
		}
	}()
	last := -1
	for i := range breaks {
		conn := rawAccept(t, ln)
		for range 100 {
			payload, err := readFrame(conn)
			require.NoError(t, err)
			n := int(payload[0]) | int(payload[1])<<8 | int(payload[2])<<16
			require.Equal(t, 3*(1+n%2000), len(payload))
			require.Greater(t, n, last)
			last = n
		}
		if i%2 == 0 {
			require.NoError(t, conn.SetLinger(0))
		}
		require.NoError(t, conn.Close())
	}
	stopped()
	ended(t, sent)
	for epoch := range uint64(breaks) {
		require.Equal(t, epoch+1, expect(t, c, netasync.Connected).Epoch)
		require.Equal(t, epoch+1, expect(t, c, netasync.Disconnected).Epoch)
	}
}

// An idle connection carries a heartbeat in each period, and nobody is told; payloads postpone it.
func TestHeartbeats(t *testing.T) {
	ln := rawListen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{HeartbeatPeriod: 20 * time.Millisecond, HeartbeatTimeout: time.Minute})
	conn := rawAccept(t, ln)
	heartbeats := make([]byte, 5*4)
	_, err := io.ReadFull(conn, heartbeats)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 5*4), heartbeats)
	write(t, conn, make([]byte, 4)) // of the peer, not shown
	write(t, conn, frames("hello"))
	expect(t, c, netasync.Connected)
	expectMessages(t, c, "hello")
	require.EqualValues(t, 1, c.Stats().Received)
}

// A consumer slower than HeartbeatTimeout loses neither its healthy connection nor a message.
func TestSlowConsumerKeepsConnection(t *testing.T) {
	const timeout = 200 * time.Millisecond
	c, server := pair(t,
		netasync.ListenOptions{HeartbeatPeriod: timeout / 10, HeartbeatTimeout: timeout, ReadBuffer: netasync.Fixed(4)},
		netasync.ConnectOptions{HeartbeatPeriod: timeout / 10, HeartbeatTimeout: time.Minute})
	texts := make([]string, 100)
	for i := range texts {
		texts[i] = strings.Repeat(string(rune('a'+i%26)), 100<<10)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, text := range texts {
			_ = c.Send(context.Background(), []byte(text))
		}
	}()
	for i, text := range texts {
		if i == 0 || i == 50 {
			<-time.After(4 * timeout) // this is the slowness, no wait for something
		}
		expectMessages(t, server, text)
	}
	ended(t, sent)
	require.NoError(t, c.Close())
	require.ErrorIs(t, expectClosed(t, server).Err, io.EOF)
}

// A server that resets each connection at once, while the client may still be dialing: however
// that ends, connections and outages take turns.
func TestConnectedAndDisconnectedTakeTurns(t *testing.T) {
	ln := rawListen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: netasync.FixedDelay(time.Millisecond)})
	for range 50 {
		conn := rawAccept(t, ln)
		require.NoError(t, conn.SetLinger(0))
		require.NoError(t, conn.Close())
	}
	write(t, rawAccept(t, ln), frames("enough"))
	epoch, connected := uint64(0), false
	for n := 0; ; n++ {
		ev := next(t, c)
		switch ev.Kind {
		case netasync.Connected:
			require.False(t, connected)
			epoch, connected = epoch+1, true
		case netasync.Disconnected:
			require.True(t, connected || n == 0)
			require.True(t, errors.Is(ev.Err, syscall.ECONNRESET) || errors.Is(ev.Err, io.EOF), "%v", ev.Err)
			connected = false
		case netasync.Message:
			require.True(t, connected)
			require.Equal(t, epoch, ev.Epoch)
			return
		default:
			require.Fail(t, "unexpected", "%v", ev)
		}
		require.Equal(t, epoch, ev.Epoch)
	}
}
