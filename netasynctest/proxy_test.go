package netasynctest_test

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	nt "github.com/netasync/netasync/netasynctest"
)

// proxied returns a client of an echo server behind a proxy.
func proxied(t *testing.T) (*nt.Proxy, *netasync.Session) {
	t.Helper()
	e, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.Shutdown(testkit.Context(t)) })
	p := nt.NewProxy(t, byRecv.echoAt(t, e, "127.0.0.1:0"))
	s, _ := byRecv.connect(t, e, p.Addr())
	byRecv.send(t, s, "hello") // the answer says that the proxy has connected to the server
	nt.ExpectWithin(t, testkit.Patience, s, nt.IsConnected, nt.IsMessage("hello"))
	return p, s
}

// What goes wrong in memory goes wrong between real sockets, and passes.
func TestProxy(t *testing.T) {
	for name, fault := range map[string]func(t *testing.T, p *nt.Proxy, s *netasync.Session){
		"cut": func(t *testing.T, p *nt.Proxy, s *netasync.Session) {
			p.Cut(nil)
			nt.ExpectWithin(t, testkit.Patience, s, nt.IsDisconnected(syscall.ECONNRESET), nt.IsConnected)
		},
		"close": func(t *testing.T, p *nt.Proxy, s *netasync.Session) {
			p.Close()
			nt.ExpectWithin(t, testkit.Patience, s, nt.IsDisconnected(io.EOF), nt.IsConnected)
		},
		"vanish": func(t *testing.T, p *nt.Proxy, s *netasync.Session) {
			p.Vanish()
			require.NoError(t, s.Send(t.Context(), []byte("late")))
			nt.Quiet(t, s, 50*time.Millisecond)
			p.Heal()
			nt.ExpectWithin(t, testkit.Patience, s, nt.IsMessage("late"))
		},
		"one way": func(t *testing.T, p *nt.Proxy, s *netasync.Session) {
			p.OneWay("server")
			require.NoError(t, s.Send(t.Context(), []byte("late")))
			nt.Quiet(t, s, 50*time.Millisecond)
			p.Heal()
			nt.ExpectWithin(t, testkit.Patience, s, nt.IsMessage("late"))
		},
		"latency": func(t *testing.T, p *nt.Proxy, s *netasync.Session) {
			p.Latency(50*time.Millisecond, 10*time.Millisecond)
			begin := time.Now()
			require.NoError(t, s.Send(t.Context(), []byte("late")))
			nt.ExpectWithin(t, testkit.Patience, s, nt.IsMessage("late"))
			require.GreaterOrEqual(t, time.Since(begin), 100*time.Millisecond)
			p.Latency(0, 0)
		},
		"cut within a frame": func(t *testing.T, p *nt.Proxy, s *netasync.Session) {
			p.To("server").CutAfter(5)
			require.NoError(t, s.Send(t.Context(), []byte("message")))
			nt.ExpectWithin(t, testkit.Patience, s, nt.IsDisconnected(nil), nt.IsConnected)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := proxied(t)
			fault(t, p, s)
			byRecv.send(t, s, "goodbye")
			nt.ExpectWithin(t, testkit.Patience, s, nt.IsMessage("goodbye"))
		})
	}
}

// Half-closes and resets pass through a proxy, and large amounts do.
func TestProxyPassesEnds(t *testing.T) {
	ln := testkit.Listen(t)
	p := nt.NewProxy(t, ln.Addr().String())
	client := testkit.DialAt(t, p.Addr())
	server := testkit.Accept(t, ln)
	const size = 10 << 20
	go func() {
		_, _ = client.Write(make([]byte, size))
		_ = client.CloseWrite()
	}()
	n, err := io.Copy(io.Discard, server)
	require.NoError(t, err)
	require.EqualValues(t, size, n)
	write(t, server, "answer")
	read(t, client, "answer")
	require.NoError(t, server.SetLinger(0))
	require.NoError(t, server.Close())
	readError(t, client, syscall.ECONNRESET)
}

// A target that is not there is a reset, and a proxy that ends with its test leaves nothing open,
// whatever is under way.
func TestProxyEnds(t *testing.T) {
	var client, server net.Conn
	t.Run("its test", func(t *testing.T) {
		p := nt.NewProxy(t, testkit.DeadAddr(t).String())
		conn, err := net.Dial("tcp", p.Addr())
		if err == nil { // the reset may be quicker
			_, err = conn.Read(make([]byte, 1))
			require.NoError(t, conn.Close())
		}
		require.ErrorIs(t, err, syscall.ECONNRESET)

		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { _ = ln.Close() }()
		p = nt.NewProxy(t, ln.Addr().String())
		client, err = net.Dial("tcp", p.Addr())
		require.NoError(t, err)
		server, err = ln.Accept()
		require.NoError(t, err)
		p.Vanish()
		require.NoError(t, client.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
		_, err = client.Write(make([]byte, 64<<20))
		require.Error(t, err)
	})
	require.False(t, t.Failed())
	for _, c := range []net.Conn{client, server} {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(testkit.Patience)))
		_, err := io.Copy(io.Discard, c)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, c.Close())
	}
}
