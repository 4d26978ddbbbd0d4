// Command embed is a gnet server of its own kind, one port of which also speaks
// message channels. The first bytes of a connection tell: "GET " is
// answered here, in text; everything else is handed to a netasync.Handler.
//
//	go run ./examples/embed
//	go run ./examples/echo-client -addr 127.0.0.1:9000
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/internal/cli"
)

// grace bounds the end: what is queued is flushed within it or not at all.
const grace = 10 * time.Second

func main() { cli.Main("embed", parse, run) }

// options are what the flags say.
type options struct {
	addr        string
	maxSessions int
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("embed", flag.ContinueOnError)
	f.StringVar(&o.addr, "addr", "tcp://127.0.0.1:9000", "`address` to listen on, the way gnet writes it")
	f.IntVar(&o.maxSessions, "max-sessions", 1000, "how many sessions, and as many connections in all on the event loops, are served at most")
	err = cli.Parse(f, args)
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q: every option is a flag", f.Arg(0))
	}
	if err == nil && o.maxSessions < 1 {
		err = fmt.Errorf("-max-sessions is %d, want 1 or more", o.maxSessions)
	}
	return o, err
}

// run serves until ctx ends. The sessions go first, so that they can flush
// while the event loops still turn.
func run(ctx context.Context, o options) error {
	if err := cli.CheckDescriptors("-max-sessions", o.maxSessions, perSession, spare); err != nil {
		return err
	}
	handler, err := netasync.NewHandler(netasync.ListenOptions{MaxSessions: o.maxSessions})
	if err != nil {
		return err
	}
	d := &door{Handler: handler, addr: o.addr, booted: make(chan gnet.Engine, 1)}
	d.crowd.limit = int64(o.maxSessions)
	var work sync.WaitGroup
	work.Go(func() { serve(handler) })

	ended := make(chan error, 1)
	go func() {
		ended <- gnet.Run(d, o.addr, gnet.WithMulticore(true), gnet.WithReuseAddr(true), gnet.WithLogger(quiet{}))
	}()
	var engine gnet.Engine
	select {
	case err := <-ended:
		return err
	case engine = <-d.booted:
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := handler.Shutdown(bounded); err != nil {
		fmt.Fprintln(os.Stderr, "embed: shutdown:", err)
	}
	work.Wait()
	return errors.Join(engine.Stop(bounded), <-ended)
}

// serve answers every message of every session with itself.
func serve(h *netasync.Handler) {
	var sessions sync.WaitGroup
	defer sessions.Wait()
	for s := range h.AcceptChan() {
		sessions.Go(func() {
			for ev := range s.ReadChan() {
				if ev.Kind == netasync.Message {
					s.WriteChan() <- ev.Payload
				}
			}
		})
	}
}

// door is the user's own gnet.EventHandler. What it does not define itself is
// the Handler's. A connection's gnet context keeps which kind it
// is, one of the words below; without one it has not said enough yet.
type door struct {
	*netasync.Handler
	addr   string
	booted chan gnet.Engine
	crowd  crowd
}

const (
	text     = "text"
	messages = "messages"
)

// opening is how a text client begins. To the Handler it would be the header of
// a message of 1.1 GB, far over its limit, so the two cannot be confused.
const opening = "GET "

// maxRequest is how much a text client may say before the empty line.
const maxRequest = 8 << 10

func (d *door) OnBoot(engine gnet.Engine) gnet.Action {
	d.booted <- engine
	fmt.Println("listening", listening(engine, d.addr))
	return d.Handler.OnBoot(engine)
}

// OnOpen leaves everything open, nothing has been said yet, unless there are too
// many.
func (d *door) OnOpen(gnet.Conn) ([]byte, gnet.Action) { return nil, d.crowd.enter() }

func (d *door) OnTraffic(c gnet.Conn) gnet.Action {
	if c.Context() == nil {
		c.SetContext(decide(c))
	}
	switch c.Context() {
	case text:
		return d.answer(c)
	case messages:
		return d.Handler.OnTraffic(c) // opens a connection it has not seen before
	}
	return gnet.None // gnet keeps the bytes until there are more
}

// OnClose passes on what concerns the Handler; it ignores what does not.
func (d *door) OnClose(c gnet.Conn, err error) gnet.Action {
	d.crowd.exit()
	return d.Handler.OnClose(c, err)
}

// decide looks at the first bytes without taking them.
func decide(c gnet.Conn) any {
	first, _ := c.Peek(min(len(opening), c.InboundBuffered()))
	switch {
	case string(first) == opening:
		return text
	case strings.HasPrefix(opening, string(first)):
		return nil
	}
	return messages
}

// answer waits for the empty line that ends a request, then says what it has to
// say and closes.
func (d *door) answer(c gnet.Conn) gnet.Action {
	request, _ := c.Peek(-1)
	if !bytes.Contains(request, []byte("\r\n\r\n")) {
		if len(request) > maxRequest {
			return gnet.Close
		}
		return gnet.None
	}
	path, _, _ := strings.Cut(string(request[len(opening):]), " ")
	body := fmt.Sprintf("You asked for %s. Message channels are served at the same address.\n", path)
	_, _ = c.Discard(len(request))
	_, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
	if err != nil {
		fmt.Fprintln(os.Stderr, "embed: answer:", err)
	}
	return gnet.Close
}

// listening is the address in use, which tells the port when 0 was asked for;
// where gnet cannot say it, it is the one that was asked for.
func listening(engine gnet.Engine, asked string) string {
	fd, err := engine.Dup()
	if err != nil {
		return asked
	}
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		return asked
	}
	defer listener.Close()
	return listener.Addr().String()
}

// quiet is gnet's logger, which would write to stdout unless given one: its
// warnings and errors go to stderr.
type quiet struct{}

func (quiet) Debugf(string, ...any)             {}
func (quiet) Infof(string, ...any)              {}
func (quiet) Warnf(format string, args ...any)  { log.Printf(format, args...) }
func (quiet) Errorf(format string, args ...any) { log.Printf(format, args...) }
func (quiet) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }
