//go:build linux

package attack

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// process is a process that plays a role, as the test sees it.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr bytes.Buffer
	lines  chan string   // what it says; closed when it is over
	over   chan struct{} // closed when it is over, and stderr may be read
}

// start starts a process that ends with the test.
func start(t *testing.T, r role) *process { return startBy(t, exec.Command(os.Args[0]), r) }

// startBy starts a process by a command that runs the test's binary.
func startBy(t *testing.T, cmd *exec.Cmd, r role) *process {
	t.Helper()
	text, err := json.Marshal(r)
	require.NoError(t, err)
	p := &process{cmd: cmd, lines: make(chan string, 1000), over: make(chan struct{})}
	// The race detector would let it sleep for a second at its end.
	cmd.Env = append(os.Environ(), roleVariable+"="+string(text), "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	cmd.Stderr = &p.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	p.stdin, err = cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	go p.listen(stdout)
	t.Cleanup(p.kill)
	return p
}

// listen takes what the process writes, until it is over.
func (p *process) listen(stdout io.Reader) {
	defer close(p.over)
	defer close(p.lines)
	for in := bufio.NewScanner(stdout); in.Scan(); {
		p.lines <- in.Text()
	}
	_ = p.cmd.Wait()
}

// kill ends the process at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.stdin.Close()
	for range p.lines {
	}
	<-p.over
}

// hears waits for a line that begins with a word, and returns the rest of it. Others are passed over,
// but for a violation.
func (p *process) hears(t *testing.T, word string) string {
	t.Helper()
	for timer := time.After(2 * testkit.Patience); ; {
		select {
		case line, ok := <-p.lines:
			if !ok {
				<-p.over
				require.Fail(t, "the process is over, and did not say "+word, p.stderr.String())
			}
			first, rest, _ := strings.Cut(line, " ")
			require.NotEqual(t, "violation", first, rest)
			if first == word {
				return rest
			}
		case <-timer:
			_ = p.cmd.Process.Signal(syscall.SIGQUIT) // its stacks tell why
			<-p.over
			require.Fail(t, "the process does not say "+word, p.stderr.String())
		}
	}
}

// tell writes a line to the process.
func (p *process) tell(t *testing.T, line string) {
	t.Helper()
	_, err := fmt.Fprintln(p.stdin, line)
	require.NoError(t, err)
}

// end lets the process end, and wants it to do so in order. It returns its last word.
func (p *process) end(t *testing.T) string {
	t.Helper()
	require.NoError(t, p.stdin.Close())
	last := p.hears(t, "end")
	<-p.over
	require.True(t, p.cmd.ProcessState.Success(), "%v: %s", p.cmd.ProcessState, p.stderr.String())
	return last
}

// descriptors returns how many the process has open.
func (p *process) descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	require.NoError(t, err)
	return len(entries)
}

// memory returns how many bytes the process has resident, and the most that it had since forget.
func (p *process) memory(t *testing.T) (now, peak int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(t, err)
	for _, line := range strings.Split(string(text), "\n") {
		for name, to := range map[string]*int{"VmRSS:": &now, "VmHWM:": &peak} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				_, err := fmt.Sscan(rest, to)
				require.NoError(t, err)
				*to <<= 10
			}
		}
	}
	return now, peak
}

// forget forgets the most that the process had, where the system allows that.
func (p *process) forget() {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0)
}
