package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"sync"

	"github.com/netasync/netasync/internal/testkit"
)

// identities are what the tests' servers and clients show each other, all
// signed by one authority.
type identities struct {
	authority      *x509.CertPool
	servers, users tls.Certificate
}

var certificates = sync.OnceValue(func() *identities {
	a := testkit.NewAuthority()
	return &identities{
		authority: a.Pool(),
		servers:   a.Issue("server", x509.ExtKeyUsageServerAuth, "localhost", "127.0.0.1"),
		users:     a.Issue("alice", x509.ExtKeyUsageClientAuth),
	}
})

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
