// Package process runs a program and listens to what it prints, for the demo
// and for the tests of the examples.
package process

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// backlog is how many lines may wait for Line; a program that prints more waits
// itself.
const backlog = 1 << 12

// Process is a running program. One goroutine at a time may use it.
type Process struct {
	cmd    *exec.Cmd
	lines  chan string  // sent and closed by read, at the end of the program's stdout
	stderr bytes.Buffer // complete after Wait
}

// Start starts a program, which is killed when ctx ends. hear, unless nil, is
// called with every line as it is printed.
func Start(ctx context.Context, hear func(line string), path string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.CommandContext(ctx, path, args...), lines: make(chan string, backlog)}
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(bufio.NewScanner(stdout), hear)
	return p, nil
}

func (p *Process) read(s *bufio.Scanner, hear func(string)) {
	defer close(p.lines)
	for s.Scan() {
		if hear != nil {
			hear(s.Text())
		}
		p.lines <- s.Text()
	}
}

// Line waits for the next line that begins with prefix, and passes over others.
func (p *Process) Line(ctx context.Context, prefix string) (string, error) {
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				return "", fmt.Errorf("the program ended before a line that begins with %q", prefix)
			}
			if strings.HasPrefix(line, prefix) {
				return line, nil
			}
		case <-ctx.Done():
			return "", fmt.Errorf("no line that begins with %q: %w", prefix, ctx.Err())
		}
	}
}

// Signal sends a signal to the program.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Kill ends the program without asking it.
func (p *Process) Kill() error { return p.cmd.Process.Kill() }

// End is how a program ended.
type End struct {
	Code   int      // exit status; -1 if it was killed
	Rest   []string // the lines nobody asked for
	Stderr string
}

// Wait waits for the end of the program. It is called once.
func (p *Process) Wait() (End, error) {
	var end End
	for line := range p.lines {
		end.Rest = append(end.Rest, line)
	}
	err := p.cmd.Wait()
	if errors.As(err, new(*exec.ExitError)) {
		err = nil
	}
	end.Code, end.Stderr = p.cmd.ProcessState.ExitCode(), p.stderr.String()
	return end, err
}
