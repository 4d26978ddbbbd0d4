package netasynctest_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/netasynctest"
)

func TestExample(t *testing.T) { clientSurvivesAVanishedServer(t) }

// way is how both ends of a test use their sessions.
type way int

const (
	byChannels way = iota
	byRecv
	byOnEvent
	byInline
	ways
)

func (w way) String() string { return [...]string{"channels", "Recv", "OnEvent", "Inline"}[w] }

// everyWay runs a test for each.
func everyWay(t *testing.T, test func(t *testing.T, w way)) {
	for w := range ways {
		t.Run(w.String(), func(t *testing.T) { test(t, w) })
	}
}

// events is a session's channel as a Source.
type events <-chan netasync.Event

func (c events) Recv(ctx context.Context) (netasync.Event, error) {
	select {
	case ev, open := <-c:
		if !open {
			return ev, io.EOF
		}
		return ev, nil
	case <-ctx.Done():
		return netasync.Event{}, ctx.Err()
	}
}

// connect returns a client that is used in a way.
func (w way) connect(t *testing.T, e *netasync.Engine, addr string) (*netasync.Session, netasynctest.Source) {
	t.Helper()
	rec := netasynctest.Recorder()
	o := netasync.ConnectOptions{Inline: w == byInline, Backoff: netasync.FixedDelay(10 * time.Millisecond)}
	if w == byOnEvent || w == byInline {
		o.OnEvent = rec.OnEvent
	}
	s, err := e.Connect(addr, o)
	if err != nil {
		t.Fatal(err)
	}
	switch w {
	case byChannels:
		return s, events(s.ReadChan())
	case byRecv:
		return s, s
	}
	return s, rec
}

// send sends in a way.
func (w way) send(t *testing.T, s *netasync.Session, text string) {
	t.Helper()
	if w == byChannels {
		s.WriteChan() <- []byte(text)
	} else if err := s.Send(t.Context(), []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// echo answers in a way on a server's port 1.
func (w way) echo(t *testing.T, e *netasync.Engine) {
	t.Helper()
	w.echoAt(t, e, ":1")
}

// echoAt answers in a way at an address, and returns it.
func (w way) echoAt(t *testing.T, e *netasync.Engine, addr string) string {
	t.Helper()
	o := netasync.ListenOptions{Inline: w == byInline}
	if w == byOnEvent || w == byInline {
		o.OnEvent = func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				_ = s.Send(context.Background(), ev.Payload)
			}
		}
	}
	l, err := e.Listen(addr, o)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for s := range l.AcceptChan() {
			go w.answer(s)
		}
	}()
	return l.Addr().String()
}

func (w way) answer(s *netasync.Session) {
	var source netasynctest.Source = s
	if w == byChannels {
		source = events(s.ReadChan())
	}
	for {
		ev, err := source.Recv(context.Background())
		if err != nil {
			return
		}
		switch {
		case ev.Kind != netasync.Message:
		case w == byChannels:
			s.WriteChan() <- ev.Payload
		default:
			_ = s.Send(context.Background(), ev.Payload)
		}
	}
}
