package e2e_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/panjf2000/gnet/v2"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// bare is a Handler as it is, but for telling which engine runs it: it can be stopped by that.
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

func (quiet) Infof(string, ...any) {}

func (quiet) Warnf(string, ...any) {}

func (quiet) Errorf(string, ...any) {}

func (quiet) Fatalf(string, ...any) {}

// run runs a gnet engine until the test ends, and returns it and its address.
func run(t *testing.T, h gnet.EventHandler, booted <-chan gnet.Engine, options ...gnet.Option) (gnet.Engine, net.Addr) {
	t.Helper()
	over := make(chan error, 1)
	go func() {
		over <- gnet.Run(h, "tcp://127.0.0.1:0", append(options, gnet.WithLogger(quiet{}), gnet.WithNumEventLoop(2))...)
	}()
	engine := testkit.Take(t, booted)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		_ = engine.Stop(ctx) // the test may have done so
		require.NoError(t, testkit.Take(t, over))
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

// embedBare is embed without a handler around ours: a session begins when its connection opens.
func embedBare(t *testing.T, o netasync.ListenOptions) (*netasync.Handler, net.Addr) {
	t.Helper()
	h, err := netasync.NewHandler(o)
	require.NoError(t, err)
	booted := make(chan gnet.Engine, 1)
	_, addr := run(t, &bare{h, booted}, booted)
	t.Cleanup(func() { endHandler(t, h) }) // before the engine
	return h, addr
}

func endHandler(t testing.TB, h *netasync.Handler) {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	requireAccounts(t, h.Stats())
	defer func() { requireAccounts(t, h.Stats()) }()
	if err := h.Shutdown(ctx); !errors.Is(err, netasync.ErrShutdown) {
		require.NoError(t, err)
	}
}
