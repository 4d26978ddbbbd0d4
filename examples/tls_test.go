package examples

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/netasync/netasync/internal/testkit"
)

// authority makes certificates, as files in the directory of a test.
type authority struct {
	*testkit.Authority
	t    *testing.T
	file string // its own certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := testkit.NewAuthority()
	return &authority{a, t, writePEM(t, "ca.pem", "CERTIFICATE", a.Certificate.Raw)}
}

// issue returns the files of a certificate for a name and of its key.
func (a *authority) issue(name string, use x509.ExtKeyUsage) (cert, key string) {
	a.t.Helper()
	issued := a.Issue(name, use, name)
	raw, err := x509.MarshalPKCS8PrivateKey(issued.PrivateKey)
	if err != nil {
		a.t.Fatal(err)
	}
	return writePEM(a.t, name+".pem", "CERTIFICATE", issued.Certificate[0]), writePEM(a.t, name+"-key.pem", "PRIVATE KEY", raw)
}

func writePEM(t *testing.T, file, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	cert, key := ours.issue("echo.test", x509.ExtKeyUsageServerAuth)
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
	ours, theirs := newAuthority(t), newAuthority(t)
	cert, key := ours.issue("echo.test", x509.ExtKeyUsageServerAuth)
	server, addr := serve(t, "echo-server", "-addr", "127.0.0.1:0", "-api", "handler",
		"-tls-cert", cert, "-tls-key", key, "-tls-client-ca", ours.file)
	common := []string{"-addr", addr, "-interval", "0", "-n", "50", "-retry", "10ms", "-tls-ca", ours.file, "-tls-server-name", "echo.test"}

	cert, key = ours.issue("client.test", x509.ExtKeyUsageClientAuth)
	client := start(t, "echo-client", append(common, "-tls-cert", cert, "-tls-key", key)...)
	match(t, client.line("connected "), `^connected epoch=1 `+regexp.QuoteMeta(addr)+`$`)
	client.content(50)
	server.line("session 1 connected ")

	foreign, foreignKey := theirs.issue("client.test", x509.ExtKeyUsageClientAuth)
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
