package netasync_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/panjf2000/gnet/v2"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// bare is a Handler as it is, but for telling which engine runs it: that is who can stop it.
type bare struct {
	*netasync.Handler
	booted chan gnet.Engine
}

func (b *bare) OnBoot(e gnet.Engine) gnet.Action {
	b.booted <- e
	return b.Handler.OnBoot(e)
}

// host is a user's own gnet.EventHandler around ours. Connections that begin with
// "text" are its own; it answers them in capitals, line by line.
type host struct{ bare }

const mine = "text"

// OnOpen leaves the connection alone: the first bytes decide.
func (h *host) OnOpen(gnet.Conn) ([]byte, gnet.Action) { return nil, gnet.None }

func (h *host) OnTraffic(c gnet.Conn) gnet.Action {
	if c.Context() == nil {
		first, err := c.Peek(len(mine))
		if err != nil {
			return gnet.None // not enough yet
		}
		c.SetContext(string(first) == mine)
	}
	if c.Context() == false {
		return h.Handler.OnTraffic(c)
	}
	line, _ := c.Next(-1)
	_, _ = c.Write([]byte(strings.ToUpper(string(line))))
	return gnet.None
}

// quiet is a logger for gnet, which would write to stdout.
type quiet struct{}

func (quiet) Debugf(string, ...any) {}
func (quiet) Infof(string, ...any)  {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}

// run runs a gnet engine until the test ends, and returns it and its address.
func run(t *testing.T, h gnet.EventHandler, booted <-chan gnet.Engine, options ...gnet.Option) (gnet.Engine, net.Addr) {
	t.Helper()
	over := make(chan error, 1)
	go func() {
		over <- gnet.Run(h, "tcp://127.0.0.1:0", append(options, gnet.WithLogger(quiet{}), gnet.WithNumEventLoop(2))...)
	}()
	engine := take(t, booted)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = engine.Stop(ctx) // the test may have done so
		require.NoError(t, take(t, over))
	})
	fd, err := engine.Dup()
	require.NoError(t, err)
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	ln, err := net.FileListener(file)
	require.NoError(t, err)
	defer ln.Close()
	return engine, ln.Addr()
}

func embed(t *testing.T, o netasync.ListenOptions) (*netasync.Handler, net.Addr) {
	t.Helper()
	h, err := netasync.NewHandler(o)
	require.NoError(t, err)
	booted := make(chan gnet.Engine, 1)
	_, addr := run(t, &host{bare{h, booted}}, booted)
	t.Cleanup(func() { endHandler(t, h) }) // before the engine
	return h, addr
}

func endHandler(t testing.TB, h *netasync.Handler) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.Shutdown(ctx); !errors.Is(err, netasync.ErrShutdown) {
		require.NoError(t, err)
	}
}

// A Handler is a gnet.EventHandler as it is: gnet.Run(h, …) serves message channels.
func TestHandlerAlone(t *testing.T) {
	h, err := netasync.NewHandler(netasync.ListenOptions{})
	require.NoError(t, err)
	booted := make(chan gnet.Engine, 1)
	engine, addr := run(t, &bare{h, booted}, booted)
	go echo(h.AcceptChan())
	c := connect(t, newEngine(t), addr, netasync.ConnectOptions{})
	expect(t, c, netasync.Connected)
	texts := numbered(100)
	go send(t, c, texts...)
	expectMessages(t, c, texts...)

	require.NoError(t, h.Shutdown(background(t)))
	expect(t, c, netasync.Disconnected)
	require.NoError(t, engine.Stop(background(t)))
}

// Embedded, and called late: one port speaks text to some and message channels to others.
func TestHandlerEmbedded(t *testing.T) {
	h, addr := embed(t, netasync.ListenOptions{})
	text := rawDial(t, addr)
	write(t, text, []byte("text please"))
	expectText(t, text, "TEXT PLEASE")

	go echo(h.AcceptChan())
	for range 10 {
		conn := rawDial(t, addr)
		texts := numbered(1000)
		go func() { _, _ = conn.Write(frames(texts...)) }()
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
	texts := append(numbered(1000), strings.Repeat("x", 1<<20))
	go send(t, c, texts...)
	expectMessages(t, c, texts...)
	require.NoError(t, c.Close())
	expectClosed(t, c)
	eventually(t, func() bool { return h.Stats().Sessions == 0 }, "its peer, too")
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
	conn := rawDial(t, addr)
	texts := make([]string, n)
	for i, text := range numbered(n) {
		texts[i] = text + strings.Repeat(".", 1000)
	}
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(frames(texts...))
		written <- err
	}()
	s := take(t, h.AcceptChan())
	eventually(t, func() bool { return h.Stats().Left == 1 }, "it left the loop")
	expect(t, s, netasync.Connected)
	expectMessages(t, s, texts...)
	require.NoError(t, take(t, written))
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
			first := rawDial(t, addr)
			write(t, first, frames("hello"))
			eventually(t, func() bool { return h.Stats().Accepted == 1 }, "the first is a session")
			second := rawDial(t, addr)
			write(t, second, frames("hello"))
			_, err := second.Read(make([]byte, 1))
			require.Error(t, err)
			require.EqualValues(t, 1, h.Stats().Refused)

			s := take(t, h.AcceptChan())
			expect(t, s, netasync.Connected)
			expectMessages(t, s, "hello")
			require.NoError(t, first.Close())
			expectClosed(t, s)
			write(t, rawDial(t, addr), frames("again"))
			s = take(t, h.AcceptChan())
			expect(t, s, netasync.Connected)
			expectMessages(t, s, "again")
		})
	}
}

// Shutdown ends the sessions, flushed, and nothing else of the user's engine.
func TestHandlerShutdown(t *testing.T) {
	h, addr := embed(t, netasync.ListenOptions{})
	text := rawDial(t, addr)
	write(t, text, []byte("text"))
	conn := rawDial(t, addr)
	write(t, conn, frames("hello"))
	s := take(t, h.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, "hello")
	texts := numbered(100)
	for _, text := range texts {
		put(t, s.WriteChan(), []byte(text))
	}
	require.NoError(t, h.Shutdown(background(t)))
	require.NoError(t, expectClosed(t, s).Err)
	ended(t, h.AcceptChan())
	expectFrames(t, conn, texts...)
	expectEOF(t, conn)
	require.Zero(t, h.Stats().Sessions)

	late := rawDial(t, addr)
	write(t, late, frames("hello"))
	_, err := late.Read(make([]byte, 1))
	require.Error(t, err)
	require.ErrorIs(t, h.Shutdown(background(t)), netasync.ErrShutdown)
	write(t, text, []byte(" goes on"))
	expectText(t, text, "TEXT GOES ON")
}

func expectText(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(conn, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// A gnet engine that is stopped without Shutdown ends the sessions, too, and AcceptChan.
func TestHandlerWithoutShutdown(t *testing.T) {
	h, err := netasync.NewHandler(netasync.ListenOptions{})
	require.NoError(t, err)
	booted := make(chan gnet.Engine, 1)
	engine, addr := run(t, &host{bare{h, booted}}, booted)
	conn := rawDial(t, addr)
	write(t, conn, frames("hello"))
	s := take(t, h.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, "hello")
	require.NoError(t, engine.Stop(background(t)))
	expectClosed(t, s)
	expectEOF(t, conn)
	ended(t, h.AcceptChan())
}
