package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// The logger hears of what is no event; without one nobody does.
func TestLogger(t *testing.T) {
	var lines lockedBuffer
	e, err := netasync.NewEngine(netasync.EngineOptions{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	require.NoError(t, err)
	t.Cleanup(func() { endEngine(t, e) })
	ln := listen(t, e, netasync.ListenOptions{Authorize: func(net.Conn) error { return errors.New("not you") }})
	expectEOF(t, testkit.Dial(t, ln.Addr()))
	connect(t, e, testkit.DeadAddr(t), netasync.ConnectOptions{})
	testkit.Eventually(t, func() bool {
		return strings.Contains(lines.String(), "not you") && strings.Contains(lines.String(), "connecting failed")
	}, "both are logged")
}

// A listener may have a logger of its own, which the engine's does not hear of.
func TestListenersLogger(t *testing.T) {
	var engines, own lockedBuffer
	e, err := netasync.NewEngine(netasync.EngineOptions{Logger: slog.New(slog.NewTextHandler(&engines, nil))})
	require.NoError(t, err)
	t.Cleanup(func() { endEngine(t, e) })
	ln := listen(t, e, netasync.ListenOptions{
		Logger:    slog.New(slog.NewTextHandler(&own, nil)),
		Authorize: func(net.Conn) error { return errors.New("not you") },
	})
	expectEOF(t, testkit.Dial(t, ln.Addr()))
	testkit.Eventually(t, func() bool { return strings.Contains(own.String(), "not you") }, "it is logged")
	require.Empty(t, engines.String())
}

// So may a handler.
func TestHandlersLogger(t *testing.T) {
	var lines lockedBuffer
	_, addr := embedBare(t, netasync.ListenOptions{
		Logger:    slog.New(slog.NewTextHandler(&lines, nil)),
		Authorize: func(net.Conn) error { return errors.New("not you") },
	})
	expectEOF(t, testkit.Dial(t, addr))
	testkit.Eventually(t, func() bool { return strings.Contains(lines.String(), "not you") }, "it is logged")
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// blocking is a handler of a log that does not return before it is released.
type blocking struct {
	slog.Handler
	entered chan string
	release chan struct{}
}

func (b *blocking) Enabled(context.Context, slog.Level) bool { return true }

func (b *blocking) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "refused") {
		b.entered <- r.Message
		<-b.release
	}
	return nil
}

// A log handler that blocks holds up neither the event loop nor the acceptor that refuses, and no
// shutdown for longer than its context.
func TestABlockedLogRefusesOn(t *testing.T) {
	for _, door := range []string{"listener", "handler"} {
		t.Run(door, func(t *testing.T) {
			log := &blocking{slog.DiscardHandler, make(chan string, 100), make(chan struct{})}
			release := sync.OnceFunc(func() { close(log.release) })
			defer release()
			o := netasync.ListenOptions{Logger: slog.New(log), MaxSessions: 1}
			var addr net.Addr
			var accepted <-chan *netasync.Session
			var shutdown func(context.Context) error
			if door == "handler" {
				h, at := embedBare(t, o)
				addr, accepted, shutdown = at, h.AcceptChan(), h.Shutdown
			} else {
				e, err := netasync.NewEngine(netasync.EngineOptions{})
				require.NoError(t, err)
				ln := listen(t, e, o)
				addr, accepted, shutdown = ln.Addr(), ln.AcceptChan(), e.Shutdown
			}
			first := testkit.Dial(t, addr)
			s := testkit.Take(t, accepted)
			expect(t, s, netasync.Connected)
			expectEOF(t, testkit.Dial(t, addr))
			testkit.Take(t, log.entered)
			for range 10 {
				expectEOF(t, testkit.Dial(t, addr))
			}
			testkit.Write(t, first, testkit.Frames("hello"))
			expectMessages(t, s, "hello")
			require.Empty(t, log.entered, "one at a time is told")

			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			require.True(t, testkit.Within(testkit.Patience, func() { _ = shutdown(ctx) }))
		})
	}
}
