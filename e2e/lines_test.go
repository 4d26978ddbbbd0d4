package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// What an operator reads: the lines of both ends of a life, as JSON.
func TestLinesOfALife(t *testing.T) {
	var out lockedBuffer
	e, err := netasync.NewEngine(netasync.EngineOptions{Logger: slog.New(slog.NewJSONHandler(&out, nil))})
	require.NoError(t, err)
	ln := listen(t, e, netasync.ListenOptions{Name: "servers"})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{Name: "clients", Backoff: quick})
	expect(t, c, netasync.Connected)
	s := testkit.Take(t, ln.AcceptChan())
	send(t, s, "secret")
	expectMessages(t, c, "secret")
	s.CloseNow(nil)
	expect(t, c, netasync.Disconnected)
	expect(t, c, netasync.Connected)
	second := testkit.Take(t, ln.AcceptChan())
	require.NoError(t, c.Close())
	_, _ = untilClosed(t, c)
	_, _ = untilClosed(t, second)
	require.NoError(t, e.Shutdown(testkit.Context(t)))

	require.NotContains(t, out.String(), "secret")
	lines := map[string][]map[string]any{} // by name
	for l := range bytes.Lines([]byte(out.String())) {
		var m map[string]any
		require.NoError(t, json.Unmarshal(l, &m))
		name, _ := m["name"].(string)
		lines[name] = append(lines[name], m)
		if name != "" {
			require.NotZero(t, m["session"])
			require.Contains(t, m["remote"], "127.0.0.1:")
		}
	}
	require.Equal(t, []string{"connected 1", "connection lost 1", "connected 2", "closed 2"}, summary(lines["clients"]))
	require.ElementsMatch(t, []string{"connected 1", "closed 1", "connected 1", "closed 1"}, summary(lines["servers"]))
	require.NotZero(t, lines["clients"][1]["up"])
	require.NotEmpty(t, lines["clients"][1]["error"])
	require.NotZero(t, lines["clients"][2]["down"])
	require.EqualValues(t, 1, lines["clients"][2]["attempts"])
	require.Len(t, lines[""], 1, "drained")
}

// summary is what lines say, and of which connection.
func summary(lines []map[string]any) (s []string) {
	for _, m := range lines {
		epoch, _ := json.Marshal(m["epoch"])
		s = append(s, strings.TrimPrefix(m["msg"].(string), "netasync: ")+" "+string(epoch))
	}
	return s
}

// Names are labels: of a listener, by default, its address.
func TestNames(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	require.Equal(t, "dialed", c.Name())
	require.Equal(t, ln.Addr().String(), testkit.Take(t, ln.AcceptChan()).Name())
	require.Equal(t, "mine", connect(t, e, ln.Addr(), netasync.ConnectOptions{Name: "mine"}).Name())
	ln = listen(t, e, netasync.ListenOptions{Name: "ours"})
	connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	s := testkit.Take(t, ln.AcceptChan())
	require.Equal(t, "ours", s.Name())
	expect(t, s, netasync.Connected)
	v := s.LogValue().String()
	require.Contains(t, v, "name=ours")
	require.Contains(t, v, "state=connected epoch=1")

	h, addr := embedBare(t, netasync.ListenOptions{})
	connect(t, e, addr, netasync.ConnectOptions{})
	require.Equal(t, "handler", testkit.Take(t, h.AcceptChan()).Name())
}

// meddler is a slog.Handler that calls sessions from within.
type meddler struct {
	slog.Handler
	engine  *netasync.Engine
	handled atomic.Int32
	closes  atomic.Bool // it closes all when one is lost
}

func (*meddler) Enabled(context.Context, slog.Level) bool { return true }

func (m *meddler) Handle(_ context.Context, r slog.Record) error {
	m.handled.Add(1)
	for s := range m.engine.Sessions() {
		_ = s.Stats()
		_ = s.TrySend([]byte("from the log"))
		_ = s.LogValue()
		if m.closes.Load() && (strings.Contains(r.Message, "lost") || strings.Contains(r.Message, "closed")) {
			_ = s.Close()
		}
	}
	_ = m.engine.Stats()
	return nil
}

// A log handler may call any session, on a loop or off it, and nothing hangs.
func TestALogHandlerThatCallsSessions(t *testing.T) {
	for name, o := range map[string]netasync.ListenOptions{
		"loop":      {},
		"TLS":       {TLS: certificates().server(false)},
		"authorize": {Authorize: func(net.Conn) error { return nil }},
		"inline":    {Inline: true, OnEvent: func(*netasync.Session, netasync.Event) {}},
		"lossy":     {WriteBuffer: netasync.Sliding(1), ReadBuffer: netasync.Dropping(1)},
	} {
		t.Run(name, func(t *testing.T) {
			m := &meddler{Handler: slog.DiscardHandler}
			e, err := netasync.NewEngine(netasync.EngineOptions{Logger: slog.New(m)})
			require.NoError(t, err)
			m.engine = e
			o.Logger = slog.New(m)
			ln := listen(t, e, o)
			h, addr := embedBare(t, o)
			co := netasync.ConnectOptions{Backoff: quick, Linger: brief, HeartbeatPeriod: 10 * time.Millisecond}
			if o.TLS != nil {
				co.TLS = certificates().client(false)
			}
			for _, a := range []net.Addr{ln.Addr(), addr} {
				for range 5 {
					c := connect(t, e, a, co)
					go func() { _, _ = io.Copy(io.Discard, &drained{c}) }()
					go func() { _ = c.Send(context.Background(), []byte("m")) }()
				}
			}
			testkit.Eventually(t, func() bool { return e.Stats().Accepted+h.Stats().Accepted >= 10 }, "all are connected")
			m.closes.Store(true)
			for s := range e.Sessions() {
				s.CloseNow(io.ErrNoProgress)
			}
			require.True(t, testkit.Within(testkit.Patience, func() { endEngine(t, e) }))
			require.NotZero(t, m.handled.Load())
			after := m.handled.Load()
			testkit.Eventually(t, func() bool { return h.Stats().Sessions == 0 }, "the other ends are gone")
			require.GreaterOrEqual(t, m.handled.Load(), after)
		})
	}
}

// drained reads a session's events as if they were bytes.
type drained struct{ s *netasync.Session }

func (d *drained) Read([]byte) (int, error) {
	_, err := d.s.Recv(context.Background())
	return 0, err
}
