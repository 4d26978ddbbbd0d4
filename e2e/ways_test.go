package e2e_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// The ways to consume a session and the transports that carry it, for tests of each with each.

// transport is something that carries sessions.
type transport struct {
	name           string
	unix           bool
	server, client func(*identities) *tls.Config
}

var transports = []transport{
	{name: "tcp"},
	{name: "unix", unix: true},
	{"tls", false,
		func(i *identities) *tls.Config { return i.server(false) },
		func(i *identities) *tls.Config { return i.client(false) }},
	{"mutual tls", false,
		func(i *identities) *tls.Config { return i.server(true) },
		func(i *identities) *tls.Config { return i.client(true) }},
}

// open listens, connects, and echoes, by the given way to consume at both ends.
func (tr transport) open(t *testing.T, w way) (c *netasync.Session, events <-chan netasync.Event) {
	t.Helper()
	var lo netasync.ListenOptions
	var co netasync.ConnectOptions
	if tr.server != nil {
		lo.TLS, co.TLS = tr.server(certificates()), tr.client(certificates())
	}
	addr := "127.0.0.1:0"
	if tr.unix {
		addr = "unix:" + socketPath(t)
	}
	e := newEngine(t)
	lo.OnEvent, lo.Inline = w.echo, w.inline
	ln := listenAt(t, e, addr, lo)
	if w.serve != nil {
		go func() {
			for s := range ln.AcceptChan() {
				go w.serve(s)
			}
		}()
	}
	queue := make(chan netasync.Event, 16)
	co.Inline = w.inline
	if w.echo != nil {
		co.OnEvent = func(_ *netasync.Session, ev netasync.Event) {
			ev.Payload = bytes.Clone(ev.Payload) // it is valid until we return
			queue <- ev
			if ev.Kind == netasync.Closed {
				close(queue)
			}
		}
		// An Inline callback must not block, so the queue must hold everything.
		if w.inline {
			queue = make(chan netasync.Event, 4*len(conversation))
		}
	}
	c = connect(t, e, ln.Addr(), co)
	return c, w.events(c, queue)
}

// socketPath returns a path short enough for a unix socket, also where
// the names of tests make long directories.
func socketPath(t *testing.T) string {
	dir, err := os.MkdirTemp("", "na")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// way is a way to consume a session.
type way struct {
	name   string
	inline bool
	echo   func(*netasync.Session, netasync.Event) // as OnEvent
	serve  func(*netasync.Session)                 // as the goroutine of an accepted session
	events func(*netasync.Session, <-chan netasync.Event) <-chan netasync.Event
	send   func(*netasync.Session, []byte) error
}

func sendBlocking(s *netasync.Session, p []byte) error { return s.Send(context.Background(), p) }

func calledBack(_ *netasync.Session, queue <-chan netasync.Event) <-chan netasync.Event { return queue }

var ways = []way{
	{
		name: "chan",
		serve: func(s *netasync.Session) {
			for ev := range s.ReadChan() {
				if ev.Kind == netasync.Message {
					s.WriteChan() <- ev.Payload
				}
			}
		},
		events: func(s *netasync.Session, _ <-chan netasync.Event) <-chan netasync.Event { return s.ReadChan() },
		send:   func(s *netasync.Session, p []byte) error { s.WriteChan() <- p; return nil },
	},
	{
		name:  "recv",
		serve: echoSession,
		events: func(s *netasync.Session, _ <-chan netasync.Event) <-chan netasync.Event {
			events := make(chan netasync.Event)
			go func() {
				defer close(events)
				for ev, err := s.Recv(context.Background()); err == nil; ev, err = s.Recv(context.Background()) {
					events <- ev
				}
			}()
			return events
		},
		send: sendBlocking,
	},
	{
		name: "handler",
		echo: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				_ = s.Send(context.Background(), bytes.Clone(ev.Payload))
			}
		},
		events: calledBack, send: sendBlocking,
	},
	{
		name: "inline", inline: true,
		echo: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				_ = s.Send(context.Background(), ev.Payload) // the payload of the very event may be sent as it is
			}
		},
		events: calledBack, send: sendBlocking,
	},
}

// conversation has messages of all sizes: tiny ones, and such as are larger
// than a read, a batch, a socket buffer.
var conversation = func() []string {
	var texts []string
	for i := range 200 {
		size := 1 + i%7
		switch {
		case i%100 == 99:
			size = 3 << 20
		case i%20 == 19:
			size = 70 << 10
		case i%5 == 4:
			size = 5000 + i
		}
		texts = append(texts, fmt.Sprintf("%d:%s", i, strings.Repeat(string(rune('a'+i%26)), size)))
	}
	return texts
}()
