package e2e_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/panjf2000/gnet/v2"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// prefaced is a user's own gnet.EventHandler that writes a text to each connection, more than the
// kernel takes at once, and then hands the connection over: when it opens, or with its first bytes.
type prefaced struct {
	bare
	late bool
	by   func(c gnet.Conn, text []byte) // c.Write, say
	text []byte
}

func (p *prefaced) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	_ = c.SetWriteBuffer(32 << 10)
	if p.late {
		return nil, gnet.None
	}
	p.by(c, p.text)
	return p.Handler.OnOpen(c)
}

func (p *prefaced) OnTraffic(c gnet.Conn) gnet.Action {
	if p.late && c.Context() == nil {
		c.SetContext(true)
		p.by(c, p.text)
	}
	return p.Handler.OnTraffic(c)
}

func write(c gnet.Conn, text []byte) { _, _ = c.Write(text) }

func readFrom(c gnet.Conn, text []byte) { _, _ = c.ReadFrom(bytes.NewReader(text)) }

var preface = []byte(strings.Join(testkit.Texts(300<<10/8), " "))[:300<<10]

// dial hosts a handler behind p, and returns a connection to it, whose receive buffer is small.
func (p *prefaced) dial(t *testing.T, o netasync.ListenOptions) (*netasync.Handler, net.Conn) {
	t.Helper()
	h, err := netasync.NewHandler(o)
	require.NoError(t, err)
	booted := make(chan gnet.Engine, 1)
	p.bare, p.text = bare{h, booted}, preface
	_, addr := run(t, p, booted)
	t.Cleanup(func() { endHandler(t, h) }) // before the engine
	conn := testkit.Dial(t, addr)
	require.NoError(t, conn.SetReadBuffer(32<<10))
	return h, conn
}

// slowly reads like a peer that takes a little at a time.
type slowly struct{ io.Reader }

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return s.Reader.Read(p[:min(len(p), 8<<10)])
}

func expectPreface(t *testing.T, conn net.Conn) {
	t.Helper()
	got := make([]byte, len(preface))
	_, err := io.ReadFull(slowly{conn}, got)
	require.NoError(t, err)
	require.True(t, bytes.Equal(preface, got), "the text, and nothing in between")
}

// What the user's handler has written goes first, however the session is served afterwards.
func TestHandlerDrainsFirst(t *testing.T) {
	hello := func(s *netasync.Session, ev netasync.Event) {
		if ev.Kind == netasync.Connected {
			_ = s.Send(context.Background(), []byte("hello"))
		}
	}
	for name, o := range map[string]netasync.ListenOptions{
		"on the loop":  {OnEvent: hello, Inline: true},
		"on the pool":  {OnEvent: hello},
		"off the loop": {OnEvent: hello, Authorize: func(net.Conn) error { return nil }},
	} {
		for how, p := range map[string]*prefaced{
			"opened": {by: write}, "late": {by: write, late: true}, "by ReadFrom": {by: readFrom},
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				_, conn := p.dial(t, o)
				if p.late {
					testkit.Write(t, conn, testkit.Frames("x"))
				}
				expectPreface(t, conn)
				expectFrames(t, conn, "hello")
			})
		}
	}
}

// What the peer sends before it has taken the text waits, also for a consumer that is slow then.
func TestHandlerDrainKeepsWhatArrives(t *testing.T) {
	h, conn := (&prefaced{by: write}).dial(t, netasync.ListenOptions{ReadBuffer: netasync.Fixed(4)})
	texts := testkit.Texts(10_000)
	testkit.Write(t, conn, testkit.Frames(texts...))
	time.Sleep(50 * time.Millisecond) // nothing is to happen meanwhile
	require.Zero(t, h.Stats().Sessions)
	expectPreface(t, conn)
	s := testkit.Take(t, h.AcceptChan())
	testkit.Eventually(t, func() bool { return h.Stats().Left == 1 }, "it left the loop")
	expect(t, s, netasync.Connected)
	expectMessages(t, s, texts...)
	send(t, s, "thanks")
	expectFrames(t, conn, "thanks")
}

// A peer that takes nothing is refused, and so is one that sends without end meanwhile.
func TestHandlerDrainRefuses(t *testing.T) {
	for name, o := range map[string]netasync.ListenOptions{
		"takes nothing":   {HeartbeatPeriod: 50 * time.Millisecond},
		"sends and sends": {ReadBuffer: netasync.Buffer{Bytes: 128 << 10}},
	} {
		t.Run(name, func(t *testing.T) {
			h, conn := (&prefaced{by: write}).dial(t, o)
			if o.HeartbeatPeriod == 0 {
				_, err := conn.Write(make([]byte, 64<<20))
				require.Error(t, err)
			}
			testkit.Eventually(t, func() bool { return h.Stats().Refused == 1 }, "it is refused")
			require.Zero(t, h.Stats().Accepted)
		})
	}
}

// The end of the handler, of the gnet engine or of the connection ends the wait.
func TestHandlerDrainEnds(t *testing.T) {
	t.Run("the connection", func(t *testing.T) {
		h, conn := (&prefaced{by: write}).dial(t, netasync.ListenOptions{})
		require.NoError(t, conn.Close())
		require.NoError(t, h.Shutdown(testkit.Context(t)))
		require.Zero(t, h.Stats().Accepted)
	})
	t.Run("the handler", func(t *testing.T) {
		h, conn := (&prefaced{by: write}).dial(t, netasync.ListenOptions{})
		_, err := io.ReadFull(conn, make([]byte, 1))
		require.NoError(t, err)
		require.NoError(t, h.Shutdown(testkit.Context(t)))
		testkit.Eventually(t, func() bool { return h.Stats().Refused == 1 }, "it is refused")
	})
	t.Run("the engine", func(t *testing.T) { // run stops it
		_, conn := (&prefaced{by: write}).dial(t, netasync.ListenOptions{})
		_, err := io.ReadFull(conn, make([]byte, 1))
		require.NoError(t, err)
	})
}
