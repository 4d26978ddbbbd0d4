package browser

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds a test, with the start of its browser. It is long: only a hang uses it up.
const patience = 2 * time.Minute

// program is an example that runs as a process of its own.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string // sent and closed by read
	stderr bytes.Buffer
}

// startProgram builds an example and starts it. It is killed with its test, if it has not ended.
func startProgram(t *testing.T, name string, args ...string) *program {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(name))
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir = filepath.Join("..", "..", "examples", filepath.FromSlash(name)) // of its own module, which this one does not need
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	p := &program{t: t, cmd: exec.Command(path, args...), lines: make(chan string, 64)}
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	go p.read(bufio.NewScanner(stdout))
	return p
}

func (p *program) read(s *bufio.Scanner) {
	defer close(p.lines)
	for s.Scan() {
		p.lines <- s.Text()
	}
}

// line waits for a line that begins with prefix, and returns the rest of it.
func (p *program) line(prefix string) string {
	p.t.Helper()
	late := time.After(patience / 3)
	for {
		select {
		case line, open := <-p.lines:
			require.True(p.t, open, "the program ended before it said %q", prefix)
			if rest, ok := strings.CutPrefix(line, prefix); ok {
				return rest
			}
		case <-late:
			require.Fail(p.t, "the program never said "+prefix)
		}
	}
}

// interrupt ends the program as ^C does. It must not complain.
func (p *program) interrupt() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(os.Interrupt))
	for range p.lines { // up to its end
	}
	require.NoError(p.t, p.cmd.Wait(), "stderr: %s", &p.stderr)
	require.Empty(p.t, p.stderr.String())
}
