// Command demo shows what the library is for: it starts echo-server and
// echo-client on loopback, kills the server in the middle of their
// conversation, starts it again, and fails unless the client carries on by itself.
//
//	go run ./examples/demo
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/netasync/netasync/examples/internal/process"
)

// patience bounds the whole demo, compilation apart.
const patience = 15 * time.Second

const module = "github.com/netasync/netasync/examples/"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "netasync-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), module+"echo-server", module+"echo-client")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the examples: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return (&stage{ctx: ctx, dir: dir}).play()
}

// stage is where the programs run; they end with ctx at the latest.
type stage struct {
	ctx context.Context
	dir string
}

// play is the story. Every step waits for the line that proves it.
func (s *stage) play() error {
	narrate("start the server, on a port of the system's choosing")
	server, err := s.start("server", "echo-server", "-addr", "127.0.0.1:0")
	if err != nil {
		return err
	}
	line, err := server.Line(s.ctx, "listening ")
	if err != nil {
		return err
	}
	addr := strings.TrimPrefix(line, "listening ")

	narrate("start a client, which sends random numbers at random intervals")
	client, err := s.start("client", "echo-client", "-addr", addr, "-interval", "400ms", "-window", "4")
	if err != nil {
		return err
	}
	if err := s.expect(client, "connected epoch=1 ", "<- ", "<- ", "<- "); err != nil {
		return err
	}

	narrate("kill the server: no goodbye, no flush")
	if err := errors.Join(server.Kill(), ended(server, -1)); err != nil {
		return err
	}
	if err := s.expect(client, "disconnected epoch=1 ", "-> ", "-> "); err != nil {
		return err
	}

	narrate("start the server again, on the same port")
	server, err = s.start("server", "echo-server", "-addr", addr)
	if err != nil {
		return err
	}
	if err := s.expect(client, "connected epoch=2 ", "<- ", "<- ", "<- "); err != nil {
		return fmt.Errorf("the client did not carry on: %w", err)
	}

	narrate("interrupt the client, then the server: both end gracefully")
	if err := errors.Join(interrupt(client), s.expect(client, "closed clean"), ended(client, 0)); err != nil {
		return err
	}
	if err := errors.Join(interrupt(server), ended(server, 0)); err != nil {
		return err
	}
	narrate("done: one session, two servers, and the client carried on by itself")
	return nil
}

func (s *stage) start(role, program string, args ...string) (*process.Process, error) {
	path := filepath.Join(s.dir, program)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	hear := func(line string) { fmt.Printf("%s | %s\n", role, line) }
	return process.Start(s.ctx, hear, path, args...)
}

// expect waits for lines that begin so, in this order.
func (s *stage) expect(p *process.Process, prefixes ...string) error {
	for _, prefix := range prefixes {
		if _, err := p.Line(s.ctx, prefix); err != nil {
			return err
		}
	}
	return nil
}

func interrupt(p *process.Process) error {
	if err := p.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("interrupt: %w", err)
	}
	return nil
}

// ended waits for the end of a program, which must have this exit status.
func ended(p *process.Process, code int) error {
	end, err := p.Wait()
	if err == nil && end.Code != code {
		err = fmt.Errorf("exit status %d instead of %d: %s", end.Code, code, end.Stderr)
	}
	return err
}

func narrate(step string) { fmt.Printf("\n=== %s\n", step) }
