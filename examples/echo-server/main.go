// Command echo-server answers every message with the same message behind a
// prefix. -api chooses one of the ways to consume a session; they do the same
// thing, so that they can be read, felt and measured beside each other.
//
//	go run ./examples/echo-server
//	go run ./examples/echo-client
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/debugpage"
	"github.com/netasync/netasync/examples/internal/cli"
)

// grace bounds a graceful shutdown: a peer that does not read must not keep
// the server alive.
const grace = 10 * time.Second

func main() { cli.Main("echo-server", parse, run) }

// run serves until ctx ends, then lets every session flush.
func run(ctx context.Context, o options) error {
	engine, err := netasync.NewEngine(netasync.EngineOptions{Loops: o.loops})
	if err != nil {
		return err
	}
	e := &echo{options: o, stopping: ctx.Done()}
	if err := e.serve(ctx, engine); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := engine.Shutdown(bounded); err != nil {
		fmt.Fprintln(os.Stderr, "echo-server: shutdown:", err)
	}
	e.sessions.Wait()
	return nil
}

// echo is what all the ways to consume have in common.
type echo struct {
	options
	stopping <-chan struct{}
	sessions sync.WaitGroup // one for each session that was not yet told Closed
	out      sync.Mutex     // held until "listening" stands on the first line
}

// serve listens, and hands every session to the API that was asked for, until
// ctx ends.
func (e *echo) serve(ctx context.Context, engine *netasync.Engine) error {
	o := e.listen
	switch e.api {
	case "callback":
		o.OnEvent = e.onEvent
	case "inline":
		o.OnEvent, o.Inline = e.onEvent, true
	}
	e.out.Lock()
	listener, err := engine.Listen(e.addr, o)
	if err != nil {
		return err
	}
	fmt.Println("listening", cli.Address(listener.Addr()))
	stop, err := cli.Debug(e.debug, os.Stdout, func() []debugpage.Source { return []debugpage.Source{engine} })
	e.out.Unlock()
	if err != nil {
		return err
	}
	defer stop()

	if o.OnEvent != nil {
		<-ctx.Done() // sessions announce themselves by their Connected event
		return nil
	}
	for {
		select {
		case s, ok := <-listener.AcceptChan():
			if !ok {
				return errors.New("the listener ended by itself")
			}
			e.sessions.Go(func() {
				if e.api == "chan" {
					e.overChannels(s)
				} else {
					e.overCalls(s)
				}
			})
		case <-ctx.Done():
			return nil
		}
	}
}

// overChannels is -api chan: events are received from one channel, and
// messages are sent to another.
func (e *echo) overChannels(s *netasync.Session) {
	for ev := range s.ReadChan() {
		switch ev.Kind {
		case netasync.Message:
			s.WriteChan() <- e.reply(ev.Payload)
		default:
			e.log(s, ev)
		}
	}
}

// overCalls is -api recv: the same without channels, which costs less for each
// message.
func (e *echo) overCalls(s *netasync.Session) {
	for {
		ev, err := s.Recv(context.Background())
		if err != nil {
			return // io.EOF: Closed was the event before
		}
		switch ev.Kind {
		case netasync.Message:
			e.send(s, ev.Payload)
		default:
			e.log(s, ev)
		}
	}
}

// onEvent is -api callback and -api inline: no goroutine of ours for a session.
// The payload is the library's again when onEvent returns, yet it
// may be sent back on its own session.
func (e *echo) onEvent(s *netasync.Session, ev netasync.Event) {
	switch ev.Kind {
	case netasync.Connected:
		e.sessions.Add(1)
		e.log(s, ev)
	case netasync.Message:
		e.send(s, ev.Payload)
	case netasync.Closed:
		e.log(s, ev)
		e.sessions.Done()
	}
}

func (e *echo) send(s *netasync.Session, payload []byte) {
	err := s.Send(context.Background(), e.reply(payload))
	if err != nil && !errors.Is(err, netasync.ErrClosed) {
		fmt.Fprintf(os.Stderr, "echo-server: session %d: %v\n", s.ID(), err)
	}
}

// reply is the answer to a message, after the delay.
func (e *echo) reply(payload []byte) []byte {
	if e.delay > 0 {
		select {
		case <-time.After(e.delay):
		case <-e.stopping: // a shutdown does not wait for what the delay has piled up
		}
	}
	if e.prefix == "" {
		return payload
	}
	answer := make([]byte, 0, len(e.prefix)+len(payload))
	return append(append(answer, e.prefix...), payload...)
}

func (e *echo) log(s *netasync.Session, ev netasync.Event) {
	if e.quiet {
		return
	}
	e.out.Lock()
	defer e.out.Unlock()
	switch ev.Kind {
	case netasync.Connected:
		fmt.Println("session", s.ID(), "connected", cli.Address(s.RemoteAddr()))
	case netasync.Closed:
		cause := "clean"
		if ev.Err != nil {
			cause = ev.Err.Error()
		}
		fmt.Println("session", s.ID(), "closed", cause)
	}
}
