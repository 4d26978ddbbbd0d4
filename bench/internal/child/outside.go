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

	"golang.org/x/sys/unix"
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

// Program is the path of a build of this benchmark.
type Program string

// This is the build that is running.
const This Program = ""

// path returns where the program is, and what its children are called in errors.
func (p Program) path(args []string) (path, name string, err error) {
	name = strings.Join(args, " ")
	if p == This {
		path, err = os.Executable()
		return path, name, err
	}
	return string(p), string(p) + " " + name, nil
}

// Start runs the program with the given arguments. When ctx ends, so does the child.
func (p Program) Start(ctx context.Context, args ...string) (*Process, error) {
	path, name, err := p.path(args)
	if err != nil {
		return nil, err
	}
	return start(exec.CommandContext(ctx, path, args...), name)
}

func start(command *exec.Cmd, name string) (*Process, error) {
	p := &Process{command: command, name: name}
	p.command.Stderr = &p.errors
	var err error
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
func (p Program) StartServer(ctx context.Context, args ...string) (server *Process, addr string, err error) {
	server, err = p.Start(ctx, args...)
	if err != nil {
		return nil, "", err
	}
	m, err := server.Await(Ready)
	if err != nil {
		server.Kill()
		return nil, "", err
	}
	return server, m.Addr, nil
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

// Send has a server broadcast a message.
func (p *Process) Send() error {
	_, err := p.ask(wordSend, Sent)
	return err
}

// Do has a child that obeys do something, and waits for what comes of it; into may be nil.
func (p *Process) Do(into any, words ...string) error {
	if err := p.Tell(words...); err != nil {
		return err
	}
	return p.Answer(into)
}

// Tell has a child that obeys begin something.
func (p *Process) Tell(words ...string) error {
	if _, err := fmt.Fprintln(p.input, strings.Join(words, " ")); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// Answer waits for what comes of what the child was told; into may be nil.
func (p *Process) Answer(into any) error {
	m, err := p.Await(Done)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(m.Result, into); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
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

// Freeze stops the child as a machine that hangs: it keeps its sockets, and says nothing. Kill ends it.
func (p *Process) Freeze() error { return p.command.Process.Signal(unix.SIGSTOP) }

// Descriptors returns how many descriptors the child has open.
func (p *Process) Descriptors() (int, error) {
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.command.Process.Pid))
	return len(open), err
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
