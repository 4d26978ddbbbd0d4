// Package tlspage is what docs/tls.md shows.
package tlspage

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync"
)

// listen serves clients that have a certificate.
func listen(engine *netasync.Engine, addr string, server tls.Certificate, clients *x509.CertPool) (*netasync.Listener, error) {
	//doc:begin server
	return engine.Listen(addr, netasync.ListenOptions{
		TLS: &tls.Config{
			Certificates: []tls.Certificate{server},
			ClientAuth:   tls.RequireAndVerifyClientCert, // leave these two out if clients have none
			ClientCAs:    clients,
		},
		Identify: identify,
	})
	//doc:end
}

// connect connects to a server with a certificate.
func connect(engine *netasync.Engine, addr string, servers *x509.CertPool, client tls.Certificate) (*netasync.Session, error) {
	//doc:begin client
	return engine.Connect(addr, netasync.ConnectOptions{
		TLS: &tls.Config{
			RootCAs:      servers, // nil: those of the system
			Certificates: []tls.Certificate{client},
		},
	})
	//doc:end
}

//doc:begin identify

// identify says who has connected, or refuses the connection.
func identify(_ context.Context, conn net.Conn) (string, error) {
	certificate := conn.(*tls.Conn).ConnectionState().PeerCertificates[0] // TLS has verified it
	if len(certificate.DNSNames) == 0 {
		return "", errors.New("the certificate has no name")
	}
	return certificate.DNSNames[0], nil
}

//doc:end

// authorize refuses connections from networks that have no business here.
func authorize(local *net.IPNet) func(net.Conn) error {
	//doc:begin authorize
	return func(conn net.Conn) error {
		from, ok := conn.RemoteAddr().(*net.TCPAddr)
		if !ok || !local.Contains(from.IP) {
			return errors.New("not from here")
		}
		return nil
	}
	//doc:end
}

//doc:begin rotate

// A rotation is a certificate that can be replaced while it is in use.
type rotation struct {
	now atomic.Pointer[tls.Certificate]
}

// load reads the certificate anew: call it by a timer, or when the files change.
func (r *rotation) load(certFile, keyFile string) error {
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return err // the old one stays
	}
	r.now.Store(&certificate)
	return nil
}

// server returns a configuration for ListenOptions.TLS.
func (r *rotation) server() *tls.Config {
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return r.now.Load(), nil }}
}

// client returns a configuration for ConnectOptions.TLS, in the same way by GetClientCertificate.
func (r *rotation) client(servers *x509.CertPool) *tls.Config {
	//doc:skip
	return &tls.Config{
		RootCAs:              servers,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return r.now.Load(), nil },
	}
	//doc:resume
}

//doc:end

// endExpired ends the sessions whose peer's certificate is not valid any more.
func endExpired(listener *netasync.Listener, now time.Time) {
	//doc:begin expired
	for s := range listener.Sessions() {
		if state, ok := s.TLS(); ok && now.After(state.PeerCertificates[0].NotAfter) {
			s.CloseNow(errExpired)
		}
	}
	//doc:end
}

var errExpired = errors.New("the certificate has expired")
