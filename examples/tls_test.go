package examples

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// authority makes certificates, as files in the directory of a test.
type authority struct {
	t    *testing.T
	name string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its own certificate
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, name: name}
	template := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, key := a.sign(template, name)
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.key = key
	a.file = a.write("ca.pem", "CERTIFICATE", der)
	return a
}

// sign fills in a template and signs it, with its own key while the authority
// has none.
func (a *authority) sign(template *x509.Certificate, name string) ([]byte, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	return der, key
}

// issue returns the files of a certificate for a name and of its key.
func (a *authority) issue(name string) (cert, key string) {
	a.t.Helper()
	der, private := a.sign(&x509.Certificate{
		DNSNames:    []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, name)
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(name+".pem", "CERTIFICATE", der), a.write(name+"-key.pem", "PRIVATE KEY", raw)
}

func (a *authority) write(file, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(a.t.TempDir(), a.name+"-"+file)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	cert, key := ours.issue("echo.test")
	server, addr := serve(t, "echo-server", "-addr", "127.0.0.1:0", "-tls-cert", cert, "-tls-key", key)
	client := start(t, "echo-client", "-addr", addr, "-interval", "0", "-n", "50", "-window", "5", "-size", "50000",
		"-quiet", "-tls-ca", ours.file, "-tls-server-name", "echo.test")
	client.content(50)
	server.line("session 1 connected ")

	refusals := []struct {
		args  []string
		cause string
	}{
		{[]string{"-tls-ca", theirs.file, "-tls-server-name", "echo.test"}, `x509: .*unknown authority`},
		{[]string{"-tls-ca", ours.file}, `x509: .*127\.0\.0\.1`}, // the name that was dialed is not in the certificate
		{nil, `\S`}, // plain, to a server that speaks TLS
	}
	for _, refusal := range refusals {
		client := start(t, "echo-client", append(refusal.args, "-addr", addr, "-interval", "0", "-retry", "10ms")...)
		match(t, client.line("disconnected "), `^disconnected epoch=\d+ queued=\d+ .*`+refusal.cause)
		client.interrupt(os.Interrupt)
	}
	server.interrupt(os.Interrupt)
}

func TestMutualTLS(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	cert, key := ours.issue("echo.test")
	server, addr := serve(t, "echo-server", "-addr", "127.0.0.1:0", "-api", "handler",
		"-tls-cert", cert, "-tls-key", key, "-tls-client-ca", ours.file)
	common := []string{"-addr", addr, "-interval", "0", "-n", "50", "-retry", "10ms", "-tls-ca", ours.file, "-tls-server-name", "echo.test"}

	cert, key = ours.issue("client.test")
	client := start(t, "echo-client", append(common, "-tls-cert", cert, "-tls-key", key)...)
	match(t, client.line("connected "), `^connected epoch=1 `+regexp.QuoteMeta(addr)+`$`)
	client.content(50)
	server.line("session 1 connected ")

	foreign, foreignKey := theirs.issue("client.test")
	for _, identity := range [][]string{nil, {"-tls-cert", foreign, "-tls-key", foreignKey}} {
		client := start(t, "echo-client", append(common, identity...)...)
		client.line("disconnected ")
		client.interrupt(os.Interrupt)
	}
	end := server.interrupt(os.Interrupt)
	for _, line := range end.Rest {
		if strings.Contains(line, " connected ") {
			t.Errorf("a client without our certificate got a session: %s", line)
		}
	}
}
