// Package program runs programs of the pages, with other addresses than those that are shown.
package program

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a program may take to say a line; it has been built before.
const patience = 20 * time.Second

// Lines are what a program writes.
type Lines struct {
	t       testing.TB
	lines   chan string
	process *os.Process
}

// Start builds the program in a file, with old replaced by new in its source, and runs it until the test ends.
func Start(t testing.TB, file, old, new string) *Lines {
	t.Helper()
	cmd := exec.Command(build(t, file, old, new))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	l := &Lines{t: t, lines: make(chan string, 1_000), process: cmd.Process}
	read := make(chan struct{})
	go l.read(out, read)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	return l
}

// build compiles a file with a replacement, which the compiler sees and the directory does not.
func build(t testing.TB, file, old, new string) string {
	t.Helper()
	source, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(source), old), "%s has %s once", file, old)
	dir := t.TempDir()
	replaced := filepath.Join(dir, "main.go")
	require.NoError(t, os.WriteFile(replaced, []byte(strings.Replace(string(source), old, new, 1)), 0o644))
	path, err := filepath.Abs(file)
	require.NoError(t, err)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: replaced}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o644))
	cmd := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", filepath.Join(dir, "program"), ".")
	cmd.Dir = filepath.Dir(path)
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", said)
	return filepath.Join(dir, "program")
}

func (l *Lines) read(out io.Reader, done chan<- struct{}) {
	defer close(done)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		l.lines <- lines.Text()
	}
}

// Want waits for a line that contains a text, and leaves out others.
func (l *Lines) Want(text string) {
	l.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line := <-l.lines:
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			require.Fail(l.t, "the program did not write: "+text)
		}
	}
}

// Interrupt tells the program to end.
func (l *Lines) Interrupt() {
	l.t.Helper()
	require.NoError(l.t, l.process.Signal(os.Interrupt))
}
