package examples

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/internal/testkit"
)

// pipe is the example, with its stdin, or its stdout.
type pipe struct {
	*exec.Cmd
	t      *testing.T
	stdout bytes.Buffer
	stderr lines
}

func startPipe(t *testing.T, stdin string, args ...string) *pipe {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p := &pipe{Cmd: exec.CommandContext(ctx, filepath.Join(bin, "pipe"), args...), t: t}
	p.stderr.first = make(chan string, 1)
	p.Stdin, p.Stdout, p.Stderr = strings.NewReader(stdin), &p.stdout, &p.stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = p.Wait() })
	return p
}

// lines are what a program says, of which the first is waited for.
type lines struct {
	text  strings.Builder
	first chan string
}

func (l *lines) Write(b []byte) (int, error) {
	if l.text.Len() == 0 {
		l.first <- strings.TrimSuffix(string(b), "\n")
	}
	return l.text.Write(b)
}

// listening waits for the line that says where, and returns that.
func (p *pipe) listening() string {
	p.t.Helper()
	return strings.TrimPrefix(<-p.stderr.first, "listening ")
}

func (p *pipe) ends(code int) {
	p.t.Helper()
	if err := p.Wait(); p.ProcessState.ExitCode() != code {
		p.t.Fatalf("%v, want exit status %d; stderr:\n%s", err, code, p.stderr.text.String())
	}
}

// numbers returns what seq prints.
func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i+1)
	}
	return b.String()
}

// Lines arrive once and in order through a network that is cut all the time, plain and over TLS.
func TestPipeThroughCuts(t *testing.T) {
	ours := newAuthority(t)
	cert, key := ours.issue("pipe.test", x509.ExtKeyUsageServerAuth)
	for name, flags := range map[string][2][]string{
		"plain": {},
		"TLS": {
			{"-tls-cert", cert, "-tls-key", key},
			{"-tls-ca", ours.file, "-tls-server-name", "pipe.test"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := numbers(100_000)
			listener := startPipe(t, "", append([]string{"-listen", "127.0.0.1:0", "-once"}, flags[0]...)...)
			cutter := testkit.NewCutter(t, listener.listening(), 300_000)
			sender := startPipe(t, want, append(flags[1], cutter.Addr)...)
			sender.ends(0)
			cutter.Calm()
			listener.ends(0)
			if got := listener.stdout.String(); got != want {
				t.Errorf("%d bytes came of %d, or not as they were sent", len(got), len(want))
			}
			if cutter.Cuts.Load() == 0 {
				t.Error("nothing was cut")
			}
			said := sender.stderr.text.String()
			if !regexp.MustCompile(`(?m)\Aconnected epoch=1 resumed=false\n(disconnected .+\nconnected epoch=\d+ resumed=true\n)+`).MatchString(said) {
				t.Errorf("stderr:\n%s", said)
			}
		})
	}
}

// What is wrong on the command line, or with what is sent, is told in one line.
func TestPipeRefuses(t *testing.T) {
	for text, args := range map[string][]string{
		"want either -listen ADDR":  {},
		"only with -listen":         {"-once", "127.0.0.1:1"},
		"not with -listen":          {"-listen", "127.0.0.1:0", "-tls-ca", "x"},
		"flag -window: -1s":         {"-listen", "127.0.0.1:0", "-window", "-1s"},
		"missing port":              {"nowhere"},
		"flags -tls-cert, -tls-key": {"-listen", "127.0.0.1:0", "-tls-cert", "x"},
	} {
		p := startPipe(t, "", args...)
		p.ends(2)
		if said := p.stderr.text.String(); !strings.Contains(said, text) || strings.Count(said, "\n") != 1 {
			t.Errorf("%v: %q, want one line with %q", args, said, text)
		}
	}
	listener := startPipe(t, "", "-listen", "127.0.0.1:0")
	sender := startPipe(t, "one\n\nthree\n", listener.listening())
	sender.ends(1)
	if said := sender.stderr.text.String(); !strings.Contains(said, "line 2: netasync: empty message") {
		t.Errorf("stderr: %q", said)
	}
}

// A listener that is interrupted has written all that its sender was told has arrived.
func TestPipeWritesWhatItHasReceived(t *testing.T) {
	listener := startPipe(t, "", "-listen", "127.0.0.1:0")
	addr := listener.listening()
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer func() { cancel(); _ = engine.Shutdown(ctx) }()
	s, err := engine.Connect(addr, netasync.ConnectOptions{Resume: true, OnEvent: func(_ *netasync.Session, ev netasync.Event) {
		if ev.Kind == netasync.Disconnected {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	line := bytes.Repeat([]byte("x"), 999)
	for n := 0; s.Send(ctx, line) == nil; n++ {
		if n == 10_000 {
			_ = listener.Process.Signal(os.Interrupt)
		}
	}
	listener.ends(0)
	acked := int(s.Stats().Acked)
	if got := listener.stdout.Len() / (len(line) + 1); got < acked {
		t.Errorf("%d lines were written of %d that have arrived", got, acked)
	} else {
		t.Logf("%d lines were written, %d had been acknowledged", got, acked)
	}
}

// A sender whose lines have all arrived ends, also if the listener is gone before it hears a goodbye.
func TestPipeWhoseListenerIsGone(t *testing.T) {
	ln := testkit.Listen(t)
	sender := startPipe(t, "one\n", ln.Addr().String())
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	says := func(body []byte) {
		wire := codec.Format{}.AppendHeader(nil, 0)
		_, _ = conn.Write(codec.Format{}.AppendFrame(wire, body))
	}
	for {
		var head [4]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(conn, body); err != nil {
			t.Fatal(err)
		}
		if len(body) == 0 {
			continue
		}
		switch body[0] {
		case resume.KindHello:
			says((&resume.Welcome{Version: resume.Version, Token: []byte("token")}).Append(nil))
		case resume.KindQuestion:
			_ = ln.Close()
			says(resume.AppendAck(nil, 1))
			_ = conn.Close()
			sender.ends(0)
			return
		}
	}
}
