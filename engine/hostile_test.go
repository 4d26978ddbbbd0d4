//go:build unix

package engine

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/panjf2000/gnet/v2"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// Peers that go away, or misbehave, at the worst moment.

// A peer resets a connection that is off the loop, and would come back.
func TestResetBeforeTheWayBack(t *testing.T) {
	e := startEngine(t)
	e.host.hold = holdTime{min: 50 * time.Millisecond, max: 50 * time.Millisecond}
	s, raw := acceptRaw(t, e, ListenOptions{ReadBuffer: session.Fixed(4)})
	testkit.Write(t, raw, testkit.Frames("x", "x", "x", "x", "")) // the heartbeat finds no room
	testkit.Eventually(t, func() bool { return e.Stats().Left == 1 }, "it left the loop")
	require.NoError(t, raw.SetLinger(0))
	require.NoError(t, raw.Close())
	// That is longer than it has to stay: it may go as soon as we have read.
	time.Sleep(100 * time.Millisecond)
	for ev := mustRecv(t, s); ev.Kind != session.Closed; ev = mustRecv(t, s) {
		require.Equal(t, session.Message, ev.Kind)
	}
}

// A peer that refuses to read, and floods: a failed write must not open the
// bounds for one that is not gone.
func TestPeerThatRefusesToReadAndFloods(t *testing.T) {
	e := startEngine(t)
	path := filepath.Join(t.TempDir(), "s")
	ln, err := e.Listen("unix:"+path, ListenOptions{ReadBuffer: session.Fixed(16), HeartbeatPeriod: time.Second})
	require.NoError(t, err)
	raw, err := net.Dial("unix", path)
	require.NoError(t, err)
	s := <-ln.AcceptChan()
	require.NoError(t, raw.(*net.UnixConn).CloseRead())
	require.NoError(t, s.Send(t.Context(), []byte("x")))
	m := testkit.Frames(make([]byte, 1000))
	require.NoError(t, raw.SetWriteDeadline(time.Now().Add(20*time.Second)))
	for {
		if _, err := raw.Write(m); err != nil {
			break
		}
	}
	require.LessOrEqual(t, s.Stats().ReceivedBytes, uint64(20<<20))
	<-s.Done() // it cannot write any more
}

// A writer without descriptors goes on when its link has left the loop.
func TestWriteWithoutDescriptorsOfALinkThatLeft(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() { _, _ = theirs.Read(make([]byte, 10)) }()
	n, err := (&link{conn: ours}).writeRetrying([][]byte{[]byte("x")})
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// TLS over a connection whose first bytes were read before is still a socket.
func TestDescriptorBelowAllWrappers(t *testing.T) {
	conn := testkit.Dial(t, testkit.Listen(t).Addr())
	found := false
	controlFD(tls.Server(withPrefix(conn, []byte("x")), &tls.Config{}), func(int) { found = true })
	require.True(t, found)
}

// Connect and Shutdown race: what the one begins the other waits for.
func TestConnectVersusShutdown(t *testing.T) {
	for range 50 {
		e, err := NewEngine(EngineOptions{Loops: 1})
		require.NoError(t, err)
		over := make(chan struct{})
		go func() {
			defer close(over)
			for {
				if _, err := e.Connect("127.0.0.1:1", ConnectOptions{}); err != nil {
					return
				}
			}
		}()
		require.NoError(t, e.Shutdown(t.Context()))
		<-over
	}
}

// booted is a handler that tells of its engine.
type booted struct {
	*Handler
	engine chan gnet.Engine
}

func (b *booted) OnBoot(e gnet.Engine) gnet.Action { b.engine <- e; return gnet.None }

// runHandler runs a handler on a gnet engine of its own until the test ends.
func runHandler(t *testing.T, addr string, o ListenOptions) *Handler {
	t.Helper()
	h, err := NewHandler(o)
	require.NoError(t, err)
	runGnet(t, addr, h)
	return h
}

// runGnet runs a gnet engine for a handler until the test ends.
func runGnet(t *testing.T, addr string, h *Handler) {
	t.Helper()
	b := &booted{h, make(chan gnet.Engine, 1)}
	over := make(chan error, 1)
	log, err := EngineOptions{}.resolve()
	require.NoError(t, err)
	go func() {
		over <- gnet.Run(b, addr, gnet.WithLogger(gnetLogger{log.Logger}), gnet.WithNumEventLoop(1))
	}()
	engine := <-b.engine
	t.Cleanup(func() {
		require.NoError(t, engine.Stop(context.Background()))
		require.NoError(t, <-over)
	})
}

// dialSoon connects to a server that is about to start.
func dialSoon(t *testing.T, network, addr string) (conn net.Conn) {
	t.Helper()
	testkit.Eventually(t, func() bool {
		var err error
		conn, err = net.Dial(network, addr)
		return err == nil
	}, "the server at %s", addr)
	return conn
}

// Peers that reset at once leave nothing to authorize, not even an address.
func TestHandlerWhosePeersResetAtOnce(t *testing.T) {
	addr := testkit.DeadAddr(t).String()
	h := runHandler(t, "tcp://"+addr, ListenOptions{
		Authorize: func(conn net.Conn) error { _ = conn.RemoteAddr().String(); return nil },
		OnEvent:   func(*session.Session, session.Event) {},
	})
	for range 500 {
		conn := dialSoon(t, "tcp", addr)
		require.NoError(t, conn.(*net.TCPConn).SetLinger(0))
		require.NoError(t, conn.Close())
	}
	require.NoError(t, h.Shutdown(t.Context()))
}

// A handler's Shutdown does not wait for a handshake that never comes, and
// nothing begins after it.
func TestHandlerShutdownDuringASilentHandshake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	h := runHandler(t, "unix://"+path, ListenOptions{TLS: &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil },
	}})
	silent := dialSoon(t, "unix", path)
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), DefaultHandshakeTimeout/2)
	defer cancel()
	require.NoError(t, h.Shutdown(ctx))
	late, err := net.Dial("unix", path)
	require.NoError(t, err)
	defer late.Close()
	require.NoError(t, late.SetReadDeadline(time.Now().Add(DefaultHandshakeTimeout/2)))
	_, err = late.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it is refused at once")
}
