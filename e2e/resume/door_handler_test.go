package resume

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/panjf2000/gnet/v2"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// door is a place that sessions come in by.
type door struct {
	name string
	tls  bool
	open func(t testing.TB, o netasync.ListenOptions) (net.Addr, <-chan *netasync.Session)
}

var doors = []door{
	{"tcp", false, func(t testing.TB, o netasync.ListenOptions) (net.Addr, <-chan *netasync.Session) {
		return listen(t, "127.0.0.1:0", o)
	}},
	{"tls", true, func(t testing.TB, o netasync.ListenOptions) (net.Addr, <-chan *netasync.Session) {
		o.TLS = papers().server
		return listen(t, "127.0.0.1:0", o)
	}},
	{"unix", false, func(t testing.TB, o netasync.ListenOptions) (net.Addr, <-chan *netasync.Session) {
		return listen(t, "unix:"+socketPath(t), o)
	}},
	{"listener", false, func(t testing.TB, o netasync.ListenOptions) (net.Addr, <-chan *netasync.Session) {
		ln, err := engine(t).Serve(bareListener{testkit.Listen(t)}, o)
		require.NoError(t, err)
		return ln.Addr(), ln.AcceptChan()
	}},
	{"handler", false, embed},
}

// engine returns an engine that ends with the test.
func engine(t testing.TB) *netasync.Engine {
	t.Helper()
	e, err := netasync.NewEngine(netasync.EngineOptions{Loops: 2})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		var unsent *netasync.UnsentError
		if err := e.Shutdown(ctx); !errors.As(err, &unsent) && !errors.Is(err, netasync.ErrShutdown) {
			require.NoError(t, err)
		}
	})
	return e
}

func listen(t testing.TB, addr string, o netasync.ListenOptions) (net.Addr, <-chan *netasync.Session) {
	t.Helper()
	ln, err := engine(t).Listen(addr, o)
	require.NoError(t, err)
	return ln.Addr(), ln.AcceptChan()
}

// socketPath returns a path that is short enough for a unix socket.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "na")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// bareListener makes the library serve a listener's connections off the loops.
type bareListener struct{ net.Listener }

func (w bareListener) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return struct{ net.Conn }{conn}, nil
}

// identity is what both ends of TLS need.
type identity struct{ server, client *tls.Config }

var papers = sync.OnceValue(func() identity {
	a := testkit.NewAuthority()
	return identity{
		&tls.Config{Certificates: []tls.Certificate{a.Issue("server", x509.ExtKeyUsageServerAuth, "127.0.0.1")}},
		&tls.Config{RootCAs: a.Pool(), ServerName: "127.0.0.1"},
	}
})

// host is a user's gnet engine, with a Handler in it.
type host struct {
	*netasync.Handler
	booted chan gnet.Engine
}

func (h *host) OnBoot(e gnet.Engine) gnet.Action {
	h.booted <- e
	return h.Handler.OnBoot(e)
}

// silent is a logger for gnet.
type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}

func embed(t testing.TB, o netasync.ListenOptions) (net.Addr, <-chan *netasync.Session) {
	t.Helper()
	h, err := netasync.NewHandler(o)
	require.NoError(t, err)
	booted, over := make(chan gnet.Engine, 1), make(chan error, 1)
	go func() {
		over <- gnet.Run(&host{h, booted}, "tcp://127.0.0.1:0", gnet.WithLogger(silent{}), gnet.WithNumEventLoop(2))
	}()
	e := testkit.Take(t, booted)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		_ = h.Shutdown(ctx)
		_ = e.Stop(ctx)
		require.NoError(t, testkit.Take(t, over))
	})
	fd, err := e.Dup()
	require.NoError(t, err)
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	ln, err := net.FileListener(file)
	require.NoError(t, err)
	defer ln.Close()
	return ln.Addr(), h.AcceptChan()
}

// dialable writes an address the way Connect wants it.
func dialable(network, addr string) string {
	if network == "unix" {
		return "unix:" + addr
	}
	return addr
}
