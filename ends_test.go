package netasync_test

import (
	"context"
	"encoding/binary"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// How sessions and listeners end. Engines are shutdown_test.go's.

// Close flushes what is queued, then comes FIN, then Closed.
func TestCloseFlushes(t *testing.T) {
	for name, end := range map[string]func(*netasync.Session){
		"Close":            func(s *netasync.Session) { _ = s.Close() },
		"close(WriteChan)": func(s *netasync.Session) { close(s.WriteChan()) },
	} {
		t.Run(name, func(t *testing.T) {
			ln := rawListen(t)
			c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{})
			conn := rawAccept(t, ln)
			expect(t, c, netasync.Connected)
			texts := numbered(50)
			for _, text := range texts {
				put(t, c.WriteChan(), []byte(text))
			}
			end(c)
			require.NoError(t, expectClosed(t, c).Err)
			expectFrames(t, conn, texts...)
			expectEOF(t, conn)
		})
	}
}

// Large messages are flushed as well, at the pace of the peer.
func TestCloseFlushesToSlowPeer(t *testing.T) {
	ln := rawListen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{WriteBuffer: netasync.Buffer{Bytes: 64 << 20}, Linger: patience})
	conn := rawAccept(t, ln)
	require.NoError(t, conn.SetReadBuffer(64<<10))
	expect(t, c, netasync.Connected)
	text := strings.Repeat("0123456789abcdef", 64<<10)
	for range 20 {
		send(t, c, text)
	}
	require.NoError(t, c.Close())
	require.ErrorIs(t, c.TrySend([]byte("late")), netasync.ErrClosed)
	for range 20 {
		expectFrames(t, conn, text)
	}
	expectEOF(t, conn)
	require.NoError(t, expectClosed(t, c).Err)
}

// Close loses nothing though its peer is sending all the time: a reset must not overtake what was sent.
func TestCloseFlushesToBusyPeer(t *testing.T) {
	const n = 10_000
	for name, co := range map[string]netasync.ConnectOptions{
		"tcp": {},
		"tls": {TLS: certificates().client(false)},
	} {
		t.Run(name, func(t *testing.T) {
			lo := netasync.ListenOptions{}
			if co.TLS != nil {
				lo.TLS = certificates().server(false)
			}
			c, server := pair(t, lo, co)
			echoes := make(chan struct{})
			go func() {
				defer close(echoes)
				for ev, err := c.Recv(context.Background()); err == nil; ev, err = c.Recv(context.Background()) {
					_ = ev
				}
			}()
			go func() {
				for i := range n {
					if i == n-1 {
						defer c.Close()
					}
					_ = c.Send(context.Background(), binary.BigEndian.AppendUint32(nil, uint32(i)))
				}
			}()
			for i := range n {
				ev := expect(t, server, netasync.Message)
				require.EqualValues(t, i, binary.BigEndian.Uint32(ev.Payload))
				if err := server.Send(background(t), ev.Payload); err != nil { // at the end, when the client is gone
					require.ErrorIs(t, err, netasync.ErrClosed)
				}
			}
			require.ErrorIs(t, expectClosed(t, server).Err, io.EOF)
			ended(t, echoes)
		})
	}
}

// A plain peer that floods us while we close gets all that we had queued, and an orderly end.
func TestCloseFlushesToFloodingPeer(t *testing.T) {
	ln := rawListen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{})
	conn := rawAccept(t, ln)
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		for wire := frames(numbered(100)...); ; {
			if _, err := conn.Write(wire); err != nil {
				return
			}
		}
	}()
	expect(t, c, netasync.Connected) // and nothing else is read
	texts := numbered(100)
	send(t, c, texts...)
	require.NoError(t, c.Close())
	expectFrames(t, conn, texts...)
	expectEOF(t, conn)
	untilClosed(t, c)
	require.NoError(t, conn.Close())
	ended(t, flooded)
}

// Close may be called by anybody, any number of times.
func TestCloseIsIdempotent(t *testing.T) {
	c, server := pair(t, netasync.ListenOptions{}, netasync.ConnectOptions{})
	send(t, c, "last words")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { _ = c.Close() })
	}
	all.Wait()
	require.NoError(t, expectClosed(t, c).Err)
	require.NoError(t, c.Close())
	expectMessages(t, server, "last words")
	expectClosed(t, server)
	require.NoError(t, server.Close())
}

// After Close, the user may still close WriteChan, once.
func TestCloseThenCloseWriteChan(t *testing.T) {
	c, server := pair(t, netasync.ListenOptions{}, netasync.ConnectOptions{})
	put(t, c.WriteChan(), []byte("last words"))
	require.NoError(t, c.Close())
	close(c.WriteChan())
	require.NoError(t, expectClosed(t, c).Err)
	expectMessages(t, server, "last words")
	expectClosed(t, server)
}
