// Package interop runs the peers of this folder, programs in other languages,
// for the interop tests. README.md says what they do, say and expect.
package interop

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Patience is how long any one thing may take.
const Patience = 30 * time.Second

// A Language is what a peer is written in.
type Language struct {
	Name    string
	command string
	script  string // from the directory e2e, where the tests run
	resume  string // another one, which speaks resumption
	call    string // a third, which makes calls; none: ""
	install string
}

// Languages are all there are.
var Languages = []Language{
	{"erlang", "escript", "testdata/interop/peer.escript", "testdata/interop/resume.escript", "", "Erlang (Debian and Ubuntu: the package erlang-base)"},
	{"node", "node", "testdata/interop/peer.js", "testdata/interop/resume.js", "testdata/interop/call.js", "Node 18 or later (Debian and Ubuntu: the package nodejs)"},
}

// A Peer is one running process. It belongs to the test that started it.
type Peer struct {
	Port string // its own end, on 127.0.0.1

	command *exec.Cmd
	stdin   io.WriteCloser
	stderr  bytes.Buffer  // read once ended is closed
	lines   chan string   // sent and closed by watch
	unread  chan struct{} // closed by stop: nobody takes lines any more
	ended   chan struct{} // closed by watch, after Wait
	failure error         // what Wait said; read once ended is closed
	killed  bool
}

// Start runs a peer with the arguments and the plan, and returns when it
// listens or is connected. It is ended with the test, and the test fails if it
// came to harm.
func (l Language) Start(t *testing.T, args ...string) *Peer {
	t.Helper()
	return l.run(t, l.script, append(args, planArgs()...)...)
}

// StartCall runs the peer that makes calls, which listens on or connects to a port, and returns when it
// has. A language that has none skips the test.
func (l Language) StartCall(t *testing.T, role, port string) *Peer {
	t.Helper()
	if l.call == "" {
		t.Skipf("no peer in %s makes calls", l.Name)
	}
	return l.run(t, l.call, role, port)
}

func (l Language) run(t *testing.T, script string, args ...string) *Peer {
	t.Helper()
	command, err := exec.LookPath(l.command)
	if err != nil {
		t.Fatalf("no %s on this machine: install %s", l.command, l.install)
	}
	p := &Peer{
		command: exec.Command(command, append([]string{script}, args...)...),
		lines:   make(chan string),
		unread:  make(chan struct{}),
		ended:   make(chan struct{}),
	}
	p.command.Stderr = &p.stderr
	p.command.WaitDelay = time.Second
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go p.watch(stdout)
	t.Cleanup(func() { p.stop(t) })
	p.Port = strings.TrimPrefix(p.Want(t, "ready"), "ready ")
	return p
}

// watch hands on the lines, then waits for the process: Wait may only be
// called when the pipe has been read to its end.
func (p *Peer) watch(stdout io.Reader) {
	defer close(p.ended)
	scanner := bufio.NewScanner(stdout)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		select {
		case p.lines <- scanner.Text():
		case <-p.unread:
		}
	}
	close(p.lines)
	p.failure = p.command.Wait()
}

// Want skips lines up to one that begins with these words, and returns it.
func (p *Peer) Want(t *testing.T, words string) string {
	t.Helper()
	patience := time.NewTimer(Patience)
	defer patience.Stop()
	skipped := "nothing"
	for {
		select {
		case line, open := <-p.lines:
			switch {
			case !open:
				<-p.ended
				t.Fatalf("peer ended (%v) and never said %q; the last it said was %q\n%s", p.failure, words, skipped, p.stderr.String())
			case strings.HasPrefix(line+" ", words+" "):
				return line
			case strings.HasPrefix(line, "bad "):
				t.Fatalf("peer says %q, want %q", line, words)
			}
			skipped = line
		case <-patience.C:
			t.Fatalf("peer has not said %q for %v; the last it said was %q", words, Patience, skipped)
		}
	}
}

// Tell gives the peer a command.
func (p *Peer) Tell(t *testing.T, command string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.stdin, command); err != nil {
		t.Fatalf("tell the peer: %v", err)
	}
}

// Kill ends the peer at once, with no chance to say good-bye, and returns when
// it is gone. What it had still to say is skipped.
func (p *Peer) Kill(t *testing.T) {
	t.Helper()
	p.killed = true
	if err := p.command.Process.Kill(); err != nil {
		t.Fatalf("kill the peer: %v", err)
	}
	for range p.lines {
	}
	<-p.ended
}

func (p *Peer) stop(t *testing.T) {
	close(p.unread)
	p.stdin.Close()
	select {
	case <-p.ended:
	case <-time.After(Patience):
		t.Errorf("peer did not end with its stdin")
		p.command.Process.Kill()
		<-p.ended
	}
	if p.failure != nil && !p.killed {
		t.Errorf("peer ended badly: %v\n%s", p.failure, p.stderr.String())
	}
}
