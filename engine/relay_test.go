package engine

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// An Inline callback that sends to another session may wait for room there, and the link of that
// may be on its way back to the very loop that waits: one that comes back must not keep others from
// writing meanwhile.
func TestInlineRelayToASessionThatMoves(t *testing.T) {
	e, err := NewEngine(EngineOptions{Loops: 1, LoopBuffer: 4 << 10}) // short turns, so many of them
	require.NoError(t, err)
	e.host.hold = holdTime{min: time.Millisecond, max: time.Millisecond}

	// Its consumer is slow at times, so that it moves; its peer reads everything at once.
	moving, peer := acceptRaw(t, e, ListenOptions{ReadBuffer: session.Fixed(4)})
	go func() { _, _ = io.Copy(io.Discard, peer) }()
	go pour(peer, 20, 5*time.Millisecond)
	go func() {
		for n := 0; ; n++ {
			if _, err := moving.Recv(context.Background()); err != nil {
				return
			}
			if n%20 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}()

	ln, err := e.Listen("127.0.0.1:0", ListenOptions{Inline: true, OnEvent: func(_ *session.Session, ev session.Event) {
		if ev.Kind == session.Message {
			_ = moving.Send(context.Background(), bytes.Clone(ev.Payload))
		}
	}})
	require.NoError(t, err)
	source := dialForLong(t, ln.Addr())
	go pour(source, 1000, time.Millisecond) // more than has room, and then none, so that a way back is free

	for range 4 { // of its ways back
		before := e.Stats().Returned
		testkit.Eventually(t, func() bool { return e.Stats().Returned > before }, "a way back: the loop stands still")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = e.Shutdown(ctx) // there is no end to what waits
}

// pour writes so many messages at a time until the connection ends.
func pour(conn net.Conn, messages int, pause time.Duration) {
	burst := bytes.Repeat(testkit.Frames("message"), messages)
	for {
		if _, err := conn.Write(burst); err != nil {
			return
		}
		time.Sleep(pause)
	}
}
