package netasync_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// identities are what the tests' servers and clients show each other, all
// signed by one authority.
type identities struct {
	authority      *x509.CertPool
	servers, users tls.Certificate
}

var certificates = sync.OnceValue(func() *identities {
	parent := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	parentKey := newKey()
	parent, _ = sign(parent, parent, parentKey, parentKey)
	issue := func(serial int64, name string, usage x509.ExtKeyUsage) tls.Certificate {
		key := newKey()
		_, der := sign(&x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: parent.NotBefore, NotAfter: parent.NotAfter,
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
			DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		}, parent, key, parentKey)
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	pool := x509.NewCertPool()
	pool.AddCert(parent)
	return &identities{pool, issue(2, "server", x509.ExtKeyUsageServerAuth), issue(3, "alice", x509.ExtKeyUsageClientAuth)}
})

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func sign(c, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (*x509.Certificate, []byte) {
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, parentKey)
	if err != nil {
		panic(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return signed, der
}

// server returns the configuration of a server, which may want to know its clients.
func (i *identities) server(mutual bool) *tls.Config {
	c := &tls.Config{Certificates: []tls.Certificate{i.servers}}
	if mutual {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, i.authority
	}
	return c
}

// client returns the configuration of a client, which may say who it is.
func (i *identities) client(mutual bool) *tls.Config {
	c := &tls.Config{RootCAs: i.authority}
	if mutual {
		c.Certificates = []tls.Certificate{i.users}
	}
	return c
}

// The dialed host is the name that the server's certificate is checked for, unless another is given.
func TestServerName(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{TLS: certificates().server(false)})
	config := certificates().client(false)
	expect(t, connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: config}), netasync.Connected)
	require.Empty(t, config.ServerName, "options are never written to")

	config.ServerName = "localhost"
	expect(t, connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: config}), netasync.Connected)

	config.ServerName = "example.com"
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: config, MaxAttempts: 1})
	var wrong x509.HostnameError
	require.ErrorAs(t, expect(t, c, netasync.Disconnected).Err, &wrong)
	require.ErrorAs(t, expectClosed(t, c).Err, &wrong)
}

// A server that nobody vouches for is not talked to.
func TestUnknownAuthority(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{TLS: certificates().server(false)})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: &tls.Config{RootCAs: x509.NewCertPool()}, MaxAttempts: 1})
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, expect(t, c, netasync.Disconnected).Err, &unknown)
	eventually(t, func() bool { return e.Stats().Refused == 1 }, "the server refused it, too")
}

// A client without a certificate does not become a session where one is asked for.
func TestClientWithoutCertificate(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{TLS: certificates().server(true)})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: certificates().client(false), Backoff: netasync.FixedDelay(time.Hour)})
	ev := next(t, c)
	if ev.Kind == netasync.Connected { // with TLS 1.3 a client learns of the refusal after its handshake
		ev = next(t, c)
	}
	require.Equal(t, netasync.Disconnected, ev.Kind)
	require.Error(t, ev.Err)
	eventually(t, func() bool { return e.Stats().Refused == 1 }, "refused") // its alert is faster than the count
	require.Zero(t, e.Stats().Accepted)
}

// Authorize sees the peer's certificate, and its error keeps a connection from being a session.
func TestAuthorizeByCertificate(t *testing.T) {
	for _, name := range []string{"alice", "bob"} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan string, 1)
			e := newEngine(t)
			ln := listen(t, e, netasync.ListenOptions{
				TLS: certificates().server(true),
				Authorize: func(conn net.Conn) error {
					peer := conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
					asked <- peer
					if peer != name {
						return errors.New("not one of us")
					}
					return nil
				},
			})
			c := connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: certificates().client(true), Backoff: netasync.FixedDelay(time.Hour)})
			require.Equal(t, "alice", take(t, asked))
			expect(t, c, netasync.Connected)
			if name == "bob" {
				require.Error(t, expect(t, c, netasync.Disconnected).Err)
				require.EqualValues(t, 1, e.Stats().Refused)
				require.Empty(t, ln.AcceptChan())
				return
			}
			send(t, take(t, ln.AcceptChan()), "welcome")
			expectMessages(t, c, "welcome")
		})
	}
}

// Authorize works without TLS, too, takes its time, and holds up nobody else.
func TestAuthorizePlain(t *testing.T) {
	release := make(chan struct{})
	refused := make(chan string, 1)
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{Authorize: func(conn net.Conn) error {
		if remote := conn.RemoteAddr().String(); len(refused) == 0 {
			refused <- remote
			<-release
			return errors.New("too slow")
		}
		return nil
	}})
	slow := rawDial(t, ln.Addr())
	eventually(t, func() bool { return len(refused) == 1 }, "Authorize was asked")
	good := rawDial(t, ln.Addr())
	write(t, good, frames("hello"))
	s := take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, "hello")

	close(release)
	expectEOF(t, slow)
	require.Equal(t, slow.LocalAddr().String(), <-refused)
	require.EqualValues(t, 1, e.Stats().Refused)
	require.EqualValues(t, 1, e.Stats().Accepted)
}
