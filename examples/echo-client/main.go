// Command echo-client sends random numbers to an echo server at random
// intervals and verifies the replies. Start it before or after the server, kill
// the server, start it again: the client carries on, with the same session.
//
//	go run ./examples/echo-server
//	go run ./examples/echo-client
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/internal/cli"
)

// grace bounds the end: what is queued is flushed within it or not at all.
const grace = 10 * time.Second

func main() { cli.Main("echo-client", parse, run) }

// run converses until o.n replies are verified or ctx ends, then closes.
func run(ctx context.Context, o options) error {
	engine, err := netasync.NewEngine(netasync.EngineOptions{Loops: 1})
	if err != nil {
		return err
	}
	session, err := engine.Connect(o.addr, o.connect)
	if err != nil {
		return err
	}
	c := &client{options: o, session: session}
	err = c.converse(ctx)
	c.close()
	bounded, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	unsent := new(*netasync.UnsentError) // no failure: the end came while the server was away
	if err := engine.Shutdown(bounded); err != nil && !errors.As(err, unsent) {
		fmt.Fprintln(os.Stderr, "echo-client: shutdown:", err)
	}
	if err == nil && o.n > 0 && c.flight.verified >= o.n {
		fmt.Println(c.flight.summary())
	}
	return err
}

// client is one conversation. Its one goroutine sends and receives, so nothing
// needs a lock.
type client struct {
	options
	session *netasync.Session
	flight  flight
}

// converse sends and verifies until n replies are verified, ctx ends or
// something goes wrong.
func (c *client) converse(ctx context.Context) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	rested := c.interval == 0
	text := c.text()
	payload := []byte(text)
	for c.n == 0 || c.flight.verified < c.n {
		var write chan<- []byte // nil, which is never ready, while it is not the time to send
		if rested && c.mayMore() {
			write = c.session.WriteChan()
		}
		select {
		case write <- payload: // the library's from here on; text stays to compare with
			if !c.quiet {
				say("->", text)
			}
			c.flight.sent(text)
			text = c.text()
			payload = []byte(text)
			if c.interval > 0 {
				rested = false
				pause.Reset(rand.N(c.interval))
			}
		case <-pause.C:
			rested = true
		case ev := <-c.session.ReadChan():
			if err := c.event(ev); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// mayMore tells whether one more message fits the window, and is needed.
func (c *client) mayMore() bool {
	open := c.flight.open()
	return open < c.window && (c.n == 0 || c.flight.verified+open < c.n)
}

func (c *client) event(ev netasync.Event) error {
	switch ev.Kind {
	case netasync.Connected:
		c.tell("connected epoch=%d %v", ev.Epoch, c.session.RemoteAddr())
	case netasync.Message:
		if !c.quiet {
			say("<-", string(ev.Payload))
		}
		return c.flight.received(ev.Payload, c.n > 0)
	case netasync.Disconnected:
		c.flight.disconnected(ev.Queued)
		c.tell("disconnected epoch=%d queued=%d %v", ev.Epoch, ev.Queued, ev.Err)
	case netasync.Closed:
		c.closed(ev)
		return fmt.Errorf("the session ended by itself: %w", ev.Err)
	}
	return nil
}

// close ends the session and waits for its last event.
func (c *client) close() {
	if err := c.session.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "echo-client: close:", err)
	}
	for ev := range c.session.ReadChan() {
		if ev.Kind == netasync.Closed {
			c.closed(ev)
		}
	}
}

func (c *client) closed(ev netasync.Event) {
	cause := "clean"
	if ev.Err != nil {
		cause = ev.Err.Error()
	}
	c.tell("closed %s", cause)
}

// text is a message: a random number, or size random digits.
func (c *client) text() string {
	if c.size == 0 {
		// Always nine digits, so that no number is the end of another.
		return strconv.Itoa(100_000_000 + rand.IntN(900_000_000))
	}
	digits := make([]byte, 0, c.size+20)
	for len(digits) < c.size {
		digits = strconv.AppendUint(digits, rand.Uint64(), 10)
	}
	return string(digits[:c.size])
}

// shown is how much of a text is printed.
const shown = 64

func say(arrow, text string) {
	if len(text) > shown {
		text = fmt.Sprintf("%s… (%d bytes)", text[:shown], len(text))
	}
	fmt.Println(arrow, text)
}

func (c *client) tell(format string, args ...any) {
	if !c.quiet {
		fmt.Printf(format+"\n", args...)
	}
}
