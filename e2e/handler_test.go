package e2e_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/panjf2000/gnet/v2"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// A Handler is a gnet.EventHandler as it is: gnet.Run(h, …) serves message channels.
func TestHandlerAlone(t *testing.T) {
	h, err := netasync.NewHandler(netasync.ListenOptions{})
	require.NoError(t, err)
	booted := make(chan gnet.Engine, 1)
	engine, addr := run(t, &bare{h, booted}, booted)
	go echo(h.AcceptChan())
	c := connect(t, newEngine(t), addr, netasync.ConnectOptions{})
	expect(t, c, netasync.Connected)
	texts := testkit.Texts(100)
	go send(t, c, texts...)
	expectMessages(t, c, texts...)

	require.NoError(t, h.Shutdown(testkit.Context(t)))
	expect(t, c, netasync.Disconnected)
	require.NoError(t, engine.Stop(testkit.Context(t)))
}

// Embedded, and called late: one port speaks text to some and message channels to others.
func TestHandlerEmbedded(t *testing.T) {
	h, addr := embed(t, netasync.ListenOptions{})
	text := testkit.Dial(t, addr)
	testkit.Write(t, text, []byte("text please"))
	expectText(t, text, "TEXT PLEASE")

	go echo(h.AcceptChan())
	for range 10 {
		conn := testkit.Dial(t, addr)
		texts := testkit.Texts(1000)
		go func() { _, _ = conn.Write(testkit.Frames(texts...)) }()
		expectFrames(t, conn, texts...)
	}
	c := connect(t, newEngine(t), addr, netasync.ConnectOptions{})
	expect(t, c, netasync.Connected)
	send(t, c, "hello")
	expectMessages(t, c, "hello")
	require.EqualValues(t, 11, h.Stats().Accepted)
}

// TLS and Authorize take a connection off the user's loop.
func TestHandlerTLS(t *testing.T) {
	h, addr := embed(t, netasync.ListenOptions{
		TLS: certificates().server(true), Authorize: func(net.Conn) error { return nil },
	})
	go echo(h.AcceptChan())
	c := connect(t, newEngine(t), addr, netasync.ConnectOptions{TLS: certificates().client(true)})
	expect(t, c, netasync.Connected)
	texts := append(testkit.Texts(1000), strings.Repeat("x", 1<<20))
	go send(t, c, texts...)
	expectMessages(t, c, texts...)
	require.NoError(t, c.Close())
	expectClosed(t, c)
	testkit.Eventually(t, func() bool { return h.Stats().Sessions == 0 }, "its peer, too")
}

// Callbacks work on a Handler as they do on a Listener.
func TestHandlerCallbacks(t *testing.T) {
	for _, w := range ways {
		if w.echo == nil {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			_, addr := embed(t, netasync.ListenOptions{OnEvent: w.echo, Inline: w.inline})
			c := connect(t, newEngine(t), addr, netasync.ConnectOptions{})
			expect(t, c, netasync.Connected)
			go send(t, c, conversation...)
			expectMessages(t, c, conversation...)
		})
	}
}

// A slow consumer leaves the user's loop, and loses nothing.
func TestHandlerSlowConsumer(t *testing.T) {
	const n = 10_000
	h, addr := embed(t, netasync.ListenOptions{})
	conn := testkit.Dial(t, addr)
	texts := make([]string, n)
	for i, text := range testkit.Texts(n) {
		texts[i] = text + strings.Repeat(".", 1000)
	}
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(testkit.Frames(texts...))
		written <- err
	}()
	s := testkit.Take(t, h.AcceptChan())
	testkit.Eventually(t, func() bool { return h.Stats().Left == 1 }, "it left the loop")
	expect(t, s, netasync.Connected)
	expectMessages(t, s, texts...)
	require.NoError(t, testkit.Take(t, written))
	send(t, s, "thanks")
	expectFrames(t, conn, "thanks")
	require.NoError(t, conn.Close())
	expectClosed(t, s)
}

// While AcceptChan is full, and over MaxSessions, connections are refused.
func TestHandlerRefuses(t *testing.T) {
	for name, o := range map[string]netasync.ListenOptions{"AcceptBuffer": {AcceptBuffer: 1}, "MaxSessions": {MaxSessions: 1}} {
		t.Run(name, func(t *testing.T) {
			h, addr := embed(t, o)
			first := testkit.Dial(t, addr)
			testkit.Write(t, first, testkit.Frames("hello"))
			testkit.Eventually(t, func() bool { return h.Stats().Accepted == 1 }, "the first is a session")
			second := testkit.Dial(t, addr)
			testkit.Write(t, second, testkit.Frames("hello"))
			_, err := second.Read(make([]byte, 1))
			require.Error(t, err)
			require.EqualValues(t, 1, h.Stats().Refused)

			s := testkit.Take(t, h.AcceptChan())
			expect(t, s, netasync.Connected)
			expectMessages(t, s, "hello")
			require.NoError(t, first.Close())
			expectClosed(t, s)
			testkit.Write(t, testkit.Dial(t, addr), testkit.Frames("again"))
			s = testkit.Take(t, h.AcceptChan())
			expect(t, s, netasync.Connected)
			expectMessages(t, s, "again")
		})
	}
}

func expectText(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(conn, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}
