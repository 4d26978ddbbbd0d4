package cluster

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"
)

// Nodes know each other by certificates of an authority that each of them makes from the secret: who
// can sign by it knows the secret. A certificate's name says nothing, as any node may have any address.

// tlsOf returns what connections between nodes are made by; nil: they are not encrypted.
func (o *Options) tlsOf() (*tls.Config, error) {
	if o.TLS != nil || o.Secret == "" {
		return o.TLS, nil
	}
	seed, err := hkdf.Key(sha256.New, []byte(o.Secret), nil, "netasync cluster authority "+o.Cluster, ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	signer := ed25519.NewKeyFromSeed(seed)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "netasync cluster " + o.Cluster},
		NotBefore: time.Unix(0, 0), NotAfter: farFuture,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	authority, err := issue(template, template, signer.Public(), signer)
	if err != nil {
		return nil, err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	own, err := issue(&x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: o.Name},
		NotBefore: time.Unix(0, 0), NotAfter: farFuture,
		DNSNames:    []string{certificateName},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, authority, public, signer)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{{Certificate: [][]byte{own.Raw}, PrivateKey: private}},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
		RootCAs:      pool,
		ServerName:   certificateName,
	}, nil
}

// certificateName is in all certificates.
const certificateName = "netasync.cluster"

// farFuture is when the certificates end: they last as long as the secret.
var farFuture = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

func issue(template, parent *x509.Certificate, public, signer any) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("cluster: certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}
