package e2e_test

import (
	"bytes"
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
