// Command pipe carries lines from one process to another, each of them exactly once and in order,
// through a network that is cut as often as you like.
//
//	go run ./examples/pipe -listen 127.0.0.1:8898 >received
//	seq 1000000 | go run ./examples/pipe 127.0.0.1:8898
//
// The sender ends when the listener has all lines. Pull the cable meanwhile, suspend a laptop, kill what
// is in between: the lines wait, and go on where they stopped.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/internal/cli"
)

func main() { cli.Main("pipe", parse, run) }

func run(ctx context.Context, o options) error {
	engine, err := netasync.NewEngine(netasync.EngineOptions{Loops: 1})
	if err != nil {
		return err
	}
	if o.listens {
		err = receive(ctx, engine, o)
	} else {
		err = send(ctx, engine, o)
	}
	bounded, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(err, engine.Shutdown(bounded))
}

// send sends each line of stdin, and returns when the listener has them all.
func send(ctx context.Context, engine *netasync.Engine, o options) error {
	s, err := engine.Connect(o.addr, o.connect)
	if err != nil {
		return err
	}
	go report(s)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxLine+1)
	lines.Split(splitLines)
	for n := 1; lines.Scan(); n++ {
		line := append([]byte(nil), lines.Bytes()...)
		if err := s.Send(ctx, line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("stdin: %w", err)
	}
	if err := s.Flush(ctx); err != nil { // the listener has all of it
		return err
	}
	part(ctx, s)
	if lost := s.Stats().Lost; lost > 0 {
		return fmt.Errorf("up to %d lines are lost: the listener did not know us any more", lost)
	}
	return nil
}

// patience is how long the goodbye may take. The listener may be gone, as one with -once that has heard
// it, when its answer was lost.
const patience = 10 * time.Second

// part says goodbye, for which there has to be a connection.
func part(ctx context.Context, s *netasync.Session) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer s.CloseNow(nil)
	if s.WaitConnected(ctx) != nil {
		return
	}
	_ = s.Close()
	select {
	case <-s.Done():
	case <-ctx.Done():
	}
}

// splitLines is bufio.ScanLines that leaves a carriage return in its line.
func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if end := bytes.IndexByte(data, '\n'); end >= 0 {
		return end + 1, data[:end], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// report tells of connections.
func report(s *netasync.Session) {
	for ev := range s.Events(context.Background()) {
		switch ev.Kind {
		case netasync.Connected:
			fmt.Fprintf(os.Stderr, "connected epoch=%d resumed=%t\n", ev.Epoch, ev.Resumed)
		case netasync.Disconnected:
			fmt.Fprintln(os.Stderr, "disconnected", ev.Err)
		}
	}
}

// receive writes what it gets to stdout: one message, one line.
func receive(ctx context.Context, engine *netasync.Engine, o options) error {
	l, err := engine.Listen(o.addr, o.listen)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "listening", cli.Address(l.Addr()))
	ended := make(chan error)
	out := &lockedWriter{to: bufio.NewWriterSize(os.Stdout, 64<<10)}
	var writers sync.WaitGroup
	write := func(s *netasync.Session) {
		writers.Add(1)
		go func() {
			err := out.copyLines(s)
			writers.Done()
			ended <- err
		}()
	}
	defer func() { // what was received, which its sender has been told, is written
		_ = l.Close()
		for s := range l.AcceptChan() {
			write(s)
		}
		for s := range engine.Sessions() {
			_ = s.Close()
		}
		writers.Wait()
	}()
	for {
		select {
		case s := <-l.AcceptChan():
			write(s)
		case err := <-ended:
			if o.once || errors.Is(err, errOutput) {
				return err
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, "pipe:", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

var errOutput = errors.New("stdout")

// copyLines writes the messages of a session, until the peer has said goodbye.
func (w *lockedWriter) copyLines(s *netasync.Session) error {
	events := s.ReadChan()
	for {
		var ev netasync.Event
		select {
		case ev = <-events:
		default: // nothing more for now: what there is is to be seen
			if err := w.flush(); err != nil {
				return err
			}
			ev = <-events
		}
		switch ev.Kind {
		case netasync.Message:
			if err := w.line(ev.Payload); err != nil {
				return err
			}
		case netasync.Closed:
			return errors.Join(ev.Err, w.flush())
		}
	}
}
