// Package examples holds the tests of the example programs: they build them and
// run them as a user would.
package examples

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/netasync/netasync/examples/internal/process"
)

// patience is how long any of the programs may take to say what is expected of
// it.
const patience = 30 * time.Second

var (
	buildFlags []string
	bin        string // where the programs are
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "netasync-examples-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	args := append([]string{"build", "-o", bin + string(filepath.Separator)}, buildFlags...)
	build := exec.Command("go", append(args, "./echo-server", "./echo-client", "./embed", "./pipe", "./telemetry")...)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		return 1
	}
	return m.Run()
}

// program is a running example and the test it runs for.
type program struct {
	*process.Process
	t      *testing.T
	ctx    context.Context
	waited bool
}

func start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	running, err := process.Start(ctx, nil, filepath.Join(bin, name), args...)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{Process: running, t: t, ctx: ctx}
	t.Cleanup(func() {
		cancel()
		if !p.waited {
			_, _ = p.Wait()
		}
	})
	return p
}

// serve starts a program that listens and returns its address.
func serve(t *testing.T, name string, args ...string) (*program, string) {
	t.Helper()
	p := start(t, name, args...)
	return p, strings.TrimPrefix(p.line("listening "), "listening ")
}

// line returns the next line that begins with prefix.
func (p *program) line(prefix string) string {
	p.t.Helper()
	line, err := p.Line(p.ctx, prefix)
	if err != nil {
		p.t.Fatal(err)
	}
	return line
}

// interrupt sends a signal and expects a graceful end.
func (p *program) interrupt(sig os.Signal) process.End {
	p.t.Helper()
	if err := p.Signal(sig); err != nil {
		p.t.Skip("no such signal here: ", err)
	}
	return p.ends(0)
}

// ends waits for the program to end with a status; its stderr is one line
// then, or none after success.
func (p *program) ends(code int) process.End {
	p.t.Helper()
	p.waited = true
	end, err := p.Wait()
	if err != nil {
		p.t.Fatal(err)
	}
	if end.Code != code {
		p.t.Fatalf("exit status %d, want %d; stderr:\n%s", end.Code, code, end.Stderr)
	}
	lines := strings.Count(end.Stderr, "\n")
	if want := min(code, 1); lines != want || !strings.HasSuffix("\n"+end.Stderr, "\n") {
		p.t.Errorf("%d lines on stderr, want %d:\n%s", lines, want, end.Stderr)
	}
	return end
}

// okLine is what a client that is content ends with.
var okLine = regexp.MustCompile(`^ok n=(\d+) rtt p50=\S+ p99=\S+ max=\S+$`)

// content expects a client to end well, and with -quiet to have said nothing else.
func (p *program) content(n int) {
	p.t.Helper()
	end := p.ends(0)
	if len(end.Rest) == 0 {
		p.t.Fatal("no closing line")
	}
	last := end.Rest[len(end.Rest)-1]
	if m := okLine.FindStringSubmatch(last); m == nil || m[1] != fmt.Sprint(n) {
		p.t.Errorf("the closing line is %q, want ok n=%d …", last, n)
	}
}
