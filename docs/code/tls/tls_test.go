package tlspage

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A world has a server, a client, and who vouches for them, all of the bubble's time.
type world struct {
	*testing.T
	net            *netasynctest.Network
	server, client *netasync.Engine
	authority      *testkit.Authority
}

func inWorld(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		f(&world{t, n, n.Engine("server", netasync.EngineOptions{}), n.Engine("client", netasync.EngineOptions{}), testkit.NewAuthority()})
	})
}

func (w *world) servers() tls.Certificate {
	return w.authority.Issue("server", x509.ExtKeyUsageServerAuth, "server")
}

func (w *world) alice() tls.Certificate {
	return w.authority.Issue("", x509.ExtKeyUsageClientAuth, "alice")
}

// Both ends know each other, and who has no certificate is refused.
func TestMutual(t *testing.T) {
	inWorld(t, func(w *world) {
		listener, err := listen(w.server, ":8899", w.servers(), w.authority.Pool())
		require.NoError(w, err)
		c, err := connect(w.client, "server:8899", w.authority.Pool(), w.alice())
		require.NoError(w, err)
		require.Equal(w, "alice", (<-listener.AcceptChan()).Identity())
		netasynctest.Expect(w, c, netasynctest.IsConnected)

		_, err = connect(w.client, "server:8899", w.authority.Pool(), w.authority.Issue("", x509.ExtKeyUsageClientAuth))
		require.NoError(w, err)
		nobody, err := connect(w.client, "server:8899", w.authority.Pool(), tls.Certificate{})
		require.NoError(w, err)
		netasynctest.Expect(w, nobody, netasynctest.IsConnected, netasynctest.IsDisconnected(nil)) // it sees that late
		synctest.Wait()
		require.EqualValues(w, 1, w.server.Stats().RefusedBy.Identify)
		require.EqualValues(w, 1, w.server.Stats().RefusedBy.Handshake)

		stranger, err := connect(w.client, "server:8899", testkit.NewAuthority().Pool(), w.alice())
		require.NoError(w, err)
		ev, err := stranger.Recv(w.Context())
		require.NoError(w, err)
		require.ErrorAs(w, ev.Err, new(x509.UnknownAuthorityError))

		endExpired(listener, time.Now())
		synctest.Wait()
		require.Equal(w, netasync.StateConnected, c.State())
		endExpired(listener, time.Now().Add(2*time.Hour))
		netasynctest.Expect(w, c, netasynctest.IsDisconnected(nil))
	})
}

func TestAuthorize(t *testing.T) {
	_, local, err := net.ParseCIDR("10.0.0.0/8")
	require.NoError(t, err)
	_, loopback, err := net.ParseCIDR("127.0.0.0/8")
	require.NoError(t, err)
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Shutdown(testkit.Context(t)) })
	for _, c := range []struct {
		from   *net.IPNet
		passes bool
	}{{local, false}, {loopback, true}} {
		listener, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{Authorize: authorize(c.from)})
		require.NoError(t, err)
		conn := testkit.Dial(t, listener.Addr())
		if c.passes {
			testkit.Take(t, listener.AcceptChan())
			continue
		}
		_, err = conn.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
	}
	require.EqualValues(t, 1, engine.Stats().RefusedBy.Authorize)
}

// A certificate is replaced, at both ends, for connections that begin later, and a session with Resume goes on.
func TestRotation(t *testing.T) {
	inWorld(t, func(w *world) {
		var server, client rotation
		first, second := w.servers(), w.servers()
		require.NoError(w, server.load(files(t, first)))
		require.NoError(w, client.load(files(t, w.alice())))
		config := server.server()
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, w.authority.Pool()
		listener, err := w.server.Listen(":8899", netasync.ListenOptions{TLS: config, Identify: identify, Resume: true})
		require.NoError(w, err)
		c, err := w.client.Connect("server:8899", netasync.ConnectOptions{TLS: client.client(w.authority.Pool()), Resume: true})
		require.NoError(w, err)
		s := <-listener.AcceptChan()
		netasynctest.Expect(w, c, netasynctest.IsConnected)
		shown := func() []byte {
			state, _ := c.TLS()
			return state.PeerCertificates[0].Raw
		}
		require.Equal(w, first.Leaf.Raw, shown())

		require.Error(w, server.load("nowhere", "nowhere"))
		require.NoError(w, server.load(files(t, second)))
		require.NoError(w, client.load(files(t, w.alice())))
		require.Equal(w, first.Leaf.Raw, shown(), "the connection goes on")
		w.net.Link("client", "server").Cut(nil)
		netasynctest.Expect(w, c, netasynctest.IsDisconnected(nil))
		ev, err := c.Recv(w.Context())
		require.NoError(w, err)
		require.True(w, ev.Resumed)
		require.Equal(w, second.Leaf.Raw, shown())
		require.Equal(w, "alice", s.Identity())

		require.NoError(w, client.load(files(t, w.authority.Issue("", x509.ExtKeyUsageClientAuth, "mallory"))))
		w.net.Link("client", "server").Cut(nil)
		time.Sleep(time.Minute) // of the bubble's clock
		require.Equal(w, netasync.StateDisconnected, s.State(), "another identity does not get the session")
		require.ErrorContains(w, c.Stats().LastError, "forbidden")
	})
}

// files writes a certificate and its key, and returns the names of both.
func files(t *testing.T, c tls.Certificate) (certFile, keyFile string) {
	t.Helper()
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: key},
	} {
		require.NoError(t, os.WriteFile(name, pem.EncodeToMemory(block), 0o600))
	}
	return certFile, keyFile
}
