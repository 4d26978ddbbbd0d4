//go:build linux

package attack

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// roleVariable is the environment variable that makes a process of the test's binary play a role, the
// JSON of which is its value.
const roleVariable = "NETASYNC_ATTACK_ROLE"

// role is what a process is told. It goes on until its standard input ends. It writes lines, each of
// which begins with a word: "ready" and the address of a server, "violation" and what was, "end"
// when it has ended in order; and others that its player names.
type role struct {
	Play        string // one of the players
	Addr        string // where a server listens, or is
	Attack      string // the name of one of the attacks
	Conns       int    // of the attack
	Descriptors uint64 // limit of the process; 0 leaves it as it is
	TLS         *papers
}

// players are what a process can be.
var players = map[string]func(role) error{
	listener:  playListener,
	handler:   playHandler,
	plain:     playPlain,
	"attack":  playAttack,
	"dialer":  playDialer,
	"witness": playWitness,
}

// play plays a role, and returns the exit code.
func play(text string) int {
	var r role
	err := json.Unmarshal([]byte(text), &r)
	if err == nil && r.Descriptors > 0 {
		limit := syscall.Rlimit{Cur: r.Descriptors, Max: r.Descriptors}
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	if err == nil {
		err = players[r.Play](r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, r.Play+":", err)
		return 1
	}
	return 0
}

// say writes a line, by one write.
func say(format string, args ...any) { fmt.Println(fmt.Sprintf(format, args...)) }

// untilTold returns what is written to standard input, line by line, until it ends.
func untilTold(yield func(string) bool) {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if !yield(in.Text()) {
			return
		}
	}
}

// waitForEnd waits until standard input ends.
func waitForEnd() {
	for range untilTold {
	}
}

// papers are what one end of TLS shows, and whom it believes.
type papers struct{ Cert, Key, Authority []byte }

// config returns the configuration of a server or of a client. Both want to know the other.
func (p *papers) config() *tls.Config {
	if p == nil {
		return nil
	}
	key, err := x509.ParsePKCS8PrivateKey(p.Key)
	if err != nil {
		panic(err)
	}
	authority, err := x509.ParseCertificate(p.Authority)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{p.Cert}, PrivateKey: key}},
		RootCAs:      pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		ServerName: serverName,
	}
}

const serverName = "server.test"

// issue returns the papers of a server, of an honest client, and of one that the server does not
// know.
func issue(t *testing.T) (server, client, stranger *papers) {
	t.Helper()
	ours, others := testkit.NewAuthority(), testkit.NewAuthority()
	paper := func(by *testkit.Authority, use x509.ExtKeyUsage) *papers {
		cert := by.Issue(serverName, use, serverName)
		key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
		require.NoError(t, err)
		return &papers{cert.Certificate[0], key, ours.Certificate.Raw}
	}
	return paper(ours, x509.ExtKeyUsageServerAuth), paper(ours, x509.ExtKeyUsageClientAuth), paper(others, x509.ExtKeyUsageClientAuth)
}
