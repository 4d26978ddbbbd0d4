package e2e_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// What arrives, in whatever pieces, and what is refused.

// A frame in one-byte pieces is a message.
func TestOneBytePieces(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{})
	conn := testkit.Dial(t, ln.Addr())
	s := testkit.Take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	for _, b := range testkit.Frames("one", "byte", "at a time") {
		testkit.Write(t, conn, []byte{b}) // TCP_NODELAY is Go's default
	}
	expectMessages(t, s, "one", "byte", "at a time")
}

// A thousand frames in one write are a thousand messages, whichever link carries them.
func TestThousandFramesInOneWrite(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{})
	conn := testkit.Dial(t, ln.Addr())
	texts := testkit.Texts(1000)
	testkit.Write(t, conn, testkit.Frames(texts...))
	s := testkit.Take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, texts...)
}

// A frame of exactly MaxPayload passes.
func TestFrameAtTheLimit(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{MaxPayload: 100})
	text := string(bytes.Repeat([]byte{'x'}, 100))
	testkit.Write(t, testkit.Dial(t, ln.Addr()), testkit.Frames(text))
	s := testkit.Take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, text)
}

// What cannot be sent is refused by Send and TrySend, and by WriteChan ignored and counted.
func TestWhatCannotBeSent(t *testing.T) {
	c, server := pair(t, netasync.ListenOptions{}, netasync.ConnectOptions{MaxPayload: 100})
	for payload, want := range map[string]error{"": netasync.ErrEmptyMessage, strings.Repeat("x", 101): netasync.ErrFrameTooLarge} {
		require.ErrorIs(t, c.Send(testkit.Context(t), []byte(payload)), want)
		require.ErrorIs(t, c.TrySend([]byte(payload)), want)
		testkit.Put(t, c.WriteChan(), []byte(payload))
	}
	testkit.Put(t, c.WriteChan(), nil)
	testkit.Put(t, c.WriteChan(), []byte("good"))
	expectMessages(t, server, "good")
	require.EqualValues(t, 3, c.Stats().Discarded)
}

// The end of a peer within a frame is an unexpected one. The peer closes without reading: a greeting
// could make its system reset the connection instead.
func TestEOFWithinFrame(t *testing.T) {
	for name, piece := range map[string][]byte{
		"half a header":  {0, 0},
		"header alone":   {0, 0, 0, 5},
		"half a payload": {0, 0, 0, 5, 'h', 'e'},
	} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t, newEngine(t), netasync.ListenOptions{NoGreeting: true})
			conn := testkit.Dial(t, ln.Addr())
			testkit.Write(t, conn, append(testkit.Frames("whole"), piece...))
			require.NoError(t, conn.Close())
			s := testkit.Take(t, ln.AcceptChan())
			expect(t, s, netasync.Connected)
			expectMessages(t, s, "whole")
			require.ErrorIs(t, expectClosed(t, s).Err, io.ErrUnexpectedEOF)
		})
	}
}

// A peer that closes one half has closed: what it said before is delivered first, a late reply is
// lost.
func TestHalfClose(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{})
	conn := testkit.Dial(t, ln.Addr())
	texts := testkit.Texts(500)
	testkit.Write(t, conn, testkit.Frames(texts...))
	require.NoError(t, conn.CloseWrite())
	s := testkit.Take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, texts...)
	require.ErrorIs(t, expectClosed(t, s).Err, io.EOF)
	require.ErrorIs(t, s.Send(testkit.Context(t), []byte("late")), netasync.ErrClosed)
	expectEOF(t, conn)
}

// What a peer sent before it closed is delivered, however slow its reader.
func TestPeerClosesBeforeWeRead(t *testing.T) {
	c, server := pair(t, netasync.ListenOptions{ReadBuffer: netasync.Fixed(2)}, netasync.ConnectOptions{WriteBuffer: netasync.Fixed(1000)})
	texts := testkit.Texts(1000)
	send(t, c, texts...)
	require.NoError(t, c.Close())
	require.NoError(t, expectClosed(t, c).Err)
	expectMessages(t, server, texts...)
	require.ErrorIs(t, expectClosed(t, server).Err, io.EOF)
}

// What the kernel holds of a peer that has ended is delivered, however long a callback keeps the
// reader from it: that heartbeats cannot be written any more is no reason to end before.
func TestEndedPeerIsHeardToTheEnd(t *testing.T) {
	const n = 1000 // which our kernel takes: what the peer's still holds, a reset throws away
	release := make(chan struct{})
	events := make(chan netasync.Event, n+10)
	ln := listen(t, newEngine(t), netasync.ListenOptions{
		TLS: certificates().server(false), Inline: true, HeartbeatPeriod: 100 * time.Millisecond,
		OnEvent: func(_ *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				<-release
			}
			ev.Payload = bytes.Clone(ev.Payload)
			events <- ev
		},
	})
	conn, err := tls.Dial("tcp", ln.Addr().String(), certificates().client(false))
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, conn) }() // else its close is a reset, which loses what is under way
	var wire []byte
	for i := range n {
		wire = append(wire, testkit.Frames(testkit.Numbered(i, testkit.MinNumbered))...)
	}
	testkit.Write(t, conn, wire)
	require.NoError(t, conn.Close())
	time.AfterFunc(time.Second, func() { close(release) }) // 10 periods
	require.Equal(t, netasync.Connected, testkit.Take(t, events).Kind)
	var sequence testkit.Sequence
	for i := range n {
		ev := testkit.Take(t, events)
		require.Equal(t, netasync.Message, ev.Kind, "%d %v", i, ev.Err)
		require.NoError(t, sequence.Take(ev.Payload))
	}
	require.Equal(t, netasync.Closed, testkit.Take(t, events).Kind)
}
