package child

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// stopTime is how long a child may take to end by itself once its input is closed.
const stopTime = 3 * time.Second

// Process is a child as its parent sees it. One goroutine of the parent uses it.
type Process struct {
	command *exec.Cmd
	input   io.WriteCloser
	lines   *bufio.Scanner
	errors  bytes.Buffer
	name    string
}

// Start runs this program again with the given arguments. When ctx ends, so does the child.
func Start(ctx context.Context, args ...string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{command: exec.CommandContext(ctx, self, args...), name: strings.Join(args, " ")}
	p.command.Stderr = &p.errors
	if p.input, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = bufio.NewScanner(output)
	p.lines.Buffer(nil, 1<<20)
	return p, p.command.Start()
}

// StartServer starts a child and waits until it listens.
func StartServer(ctx context.Context, args ...string) (p *Process, addr string, err error) {
	p, err = Start(ctx, args...)
	if err != nil {
		return nil, "", err
	}
	m, err := p.Await(Ready)
	if err != nil {
		p.Kill()
		return nil, "", err
	}
	return p, m.Addr, nil
}

// Await reads messages until the given event; any other kind of message in between is an error, and so is the
// child's end.
func (p *Process) Await(event string) (Message, error) {
	if !p.lines.Scan() {
		_ = p.command.Wait()
		return Message{}, fmt.Errorf("%s: ended before %q: %s", p.name, event, p.complaint())
	}
	var m Message
	if err := json.Unmarshal(p.lines.Bytes(), &m); err != nil {
		return m, fmt.Errorf("%s: said %q: %w", p.name, p.lines.Text(), err)
	}
	if m.Event != event {
		return m, fmt.Errorf("%s: said %q when %q was due", p.name, m.Event, event)
	}
	return m, nil
}

// Result waits for what the child measured and for its end.
func (p *Process) Result(into any) error {
	m, err := p.Await(Done)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(m.Result, into); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return p.Stop()
}

// Stats asks a server for its figures, tidied up first if need be.
func (p *Process) Stats(tidy bool) (Stats, error) {
	word := wordStats
	if tidy {
		word = wordTidy
	}
	m, err := p.ask(word, Figures)
	if err != nil || m.Stats == nil { // a server that is not written in Go has none
		return Stats{}, err
	}
	return *m.Stats, nil
}

// Heard asks a crowd how many heartbeats it heard since it was asked last.
func (p *Process) Heard() (int, error) {
	m, err := p.ask(wordHeard, Heard)
	return m.Heard, err
}

func (p *Process) ask(word, event string) (Message, error) {
	if _, err := fmt.Fprintln(p.input, word); err != nil {
		return Message{}, fmt.Errorf("%s: %w", p.name, err)
	}
	return p.Await(event)
}

// Usage reads what the system charges the child.
func (p *Process) Usage() (Usage, error) { return usageOf(p.command.Process.Pid) }

// Stop closes the child's input and waits for it to end, by force after a while.
func (p *Process) Stop() error {
	p.input.Close()
	timer := time.AfterFunc(stopTime, func() { _ = p.command.Process.Kill() })
	defer timer.Stop()
	err := p.command.Wait()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", p.name, err, p.complaint())
	}
	return nil
}

// Kill ends the child the way a crash would, and waits until its sockets are gone.
func (p *Process) Kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// complaint is the last that the child wrote to its standard error.
func (p *Process) complaint() string {
	const most = 2000
	text := strings.TrimSpace(p.errors.String())
	if text == "" {
		return "no message"
	}
	return text[max(0, len(text)-most):]
}
