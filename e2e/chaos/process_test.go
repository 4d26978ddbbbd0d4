//go:build linux

package chaos

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// Files of the server's certificate.
const (
	certFile = "cert.pem"
	keyFile  = "key.pem"
)

// process is a server process, as the test sees it.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr bytes.Buffer
	ready  chan []int // its ports, when it listens
	over   chan struct{}
	ended  bool // it said so. Valid when over is closed
}

// startProcess starts a server process. What it reports as a violation goes to report.
func startProcess(c serverConfig, report func(format string, args ...any)) (*process, error) {
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(os.Args[0]), ready: make(chan []int, 1), over: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), serverVariable+"="+string(config))
	p.cmd.Stderr = &p.stderr
	// One that is stopped does not see its input end.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.listen(stdout, report)
	return p, nil
}

// listen takes what the process writes, until it is over.
func (p *process) listen(stdout io.Reader, report func(format string, args ...any)) {
	defer close(p.over)
	at := make([]int, ports)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "port":
			var i, port int
			if _, err := fmt.Sscan(rest, &i, &port); err == nil {
				at[i] = port
			}
		case "ready":
			p.ready <- at
		case "violation":
			report("server: %s", rest)
		case "end":
			p.ended = true
		default:
			report("server: said %q", lines.Text())
		}
	}
	_ = p.cmd.Wait()
	if p.stderr.Len() > 0 {
		report("server: %s", p.stderr.String())
	}
}

// kill ends the process at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.over
	_ = p.stdin.Close()
}

// end tells the process to end, and reports whether it did so in order.
func (p *process) end() bool {
	_ = p.stdin.Close()
	select {
	case <-p.over:
		return p.ended
	case <-time.After(3 * testkit.Patience):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // its stacks tell why
		<-p.over
		return false
	}
}

// host runs one server process after the other.
type host struct {
	t              *testing.T
	config         serverConfig
	report         func(format string, args ...any)
	p              *process
	kills, stopped int
}

// start starts the next process, on the ports of the one before.
func (h *host) start() {
	h.t.Helper()
	var err error
	h.p, err = startProcess(h.config, h.report)
	require.NoError(h.t, err)
	h.config.Incarnation++
	select {
	case h.config.Ports = <-h.p.ready:
	case <-h.p.over:
		require.Fail(h.t, "the server process did not start", h.p.stderr.String())
	case <-time.After(2 * testkit.Patience):
		h.p.kill()
		require.Fail(h.t, "the server process does not start")
	}
}

// haunt kills and stops the process in turn, until the deadline, and each once at least.
func (h *host) haunt(rng *rand.Rand, deadline time.Time) {
	total := time.Until(deadline)
	for n := 0; ; n++ {
		time.Sleep(min(total/4, time.Second+time.Duration(rng.Int64N(int64(5*time.Second)))))
		if time.Now().After(deadline) && n >= 2 {
			return
		}
		if n%2 == 1 {
			h.stopped++
			_ = h.p.cmd.Process.Signal(syscall.SIGSTOP)
			time.Sleep(time.Duration(rng.Int64N(int64(2 * timeout))))
			_ = h.p.cmd.Process.Signal(syscall.SIGCONT)
			continue
		}
		h.kills++
		h.p.kill()
		time.Sleep(time.Duration(rng.Int64N(int64(timeout / 2))))
		h.start()
	}
}

// writeIdentity writes the certificate of the server and its key to dir, and returns who vouches for
// it.
func writeIdentity(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	a := testkit.NewAuthority()
	cert := a.Issue("server", x509.ExtKeyUsageServerAuth, "127.0.0.1")
	secret, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert.Certificate[0]},
		keyFile:  {Type: "PRIVATE KEY", Bytes: secret},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	return a.Pool()
}
