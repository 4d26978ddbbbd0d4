//go:build interop

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/e2e/testdata/interop"
	"github.com/netasync/netasync/internal/testkit"
)

// How many lines go each way, and how many cuts of each kind there are at least until they are there.
const (
	resumeLines = 2_500
	resumeCuts  = 8
)

// TestInteropResumePeers has the peers in other languages talk to each other and not to us, through
// a proxy that cuts all the time. It proves that docs/resume.md says all that there is to say.
func TestInteropResumePeers(t *testing.T) {
	for i, dialing := range interop.Languages {
		for j, listening := range interop.Languages {
			t.Run(dialing.Name+" to "+listening.Name, func(t *testing.T) {
				listener := listening.StartResume(t, "listen", "0")
				proxy := newInteropProxy(t, listener.Port, uint64(2*i+j))
				dialer := dialing.StartResume(t, "connect", proxy.Port)
				wantAll(t,
					func() error { return talk(listener, interop.FromUs) },
					func() error { return talk(dialer, interop.FromPeer) },
					func() error { return hear(listener, interop.FromPeer) },
					func() error { return hear(dialer, interop.FromUs) },
				)
				proxy.calm(t, resumeCuts)
				first := []*interop.Peer{dialer, listener}[(i+j)%2]
				first.HangUp()
				dialer.WantOver(t)
				listener.WantOver(t)
			})
		}
	}
}

// TestInteropResume talks to a peer in another language, through a proxy that cuts all the time, and
// then ends the session, from our side or the peer's.
func TestInteropResume(t *testing.T) {
	for i, language := range interop.Languages {
		weEndDialed := i == 0
		t.Run(language.Name+"/dialed", func(t *testing.T) {
			peer := language.StartResume(t, "listen", "0")
			proxy := newInteropProxy(t, peer.Port, 5)
			s := dialResume(t, proxy.Port, netasync.ConnectOptions{})
			endResume(t, converse(t, s, peer, proxy), weEndDialed)
		})
		t.Run(language.Name+"/accepted", func(t *testing.T) {
			listener := listenResume(t, "127.0.0.1:0")
			proxy := newInteropProxy(t, tcpPort(t, listener.Addr().String()), 6)
			peer := language.StartResume(t, "connect", proxy.Port)
			s := testkit.Take(t, listener.AcceptChan())
			endResume(t, converse(t, s, peer, proxy), !weEndDialed)
			if n := len(listener.AcceptChan()); n > 0 {
				t.Errorf("%d sessions were accepted beside it", n)
			}
		})
	}
}

// TestInteropResumeAtPlainPeer has a dialer with Resume meet peers that have never heard of it: they get
// one odd message, which they answer or not.
func TestInteropResumeAtPlainPeer(t *testing.T) {
	for _, language := range interop.Languages {
		for _, does := range []string{"do=echo", "do=", "heartbeat=50"} {
			t.Run(language.Name+"/"+does, func(t *testing.T) {
				peer := language.Start(t, "role=listen", does)
				s := dialResume(t, peer.Port, netasync.ConnectOptions{DialTimeout: time.Second, MaxAttempts: 1})
				for _, kind := range []netasync.EventKind{netasync.Disconnected, netasync.Closed} {
					event, err := recvWithin(s)
					if err != nil || event.Kind != kind || !errors.Is(event.Err, netasync.ErrNotResumable) {
						t.Fatalf("event %v with %v (%v), want %v with ErrNotResumable", event.Kind, event.Err, err, kind)
					}
				}
				if end := peer.Want(t, "end"); !strings.HasSuffix(end, " messages=1 empty=1") {
					t.Errorf("the peer says %q, want one message", end)
				}
			})
		}
	}
}

func resumeEngine(t *testing.T) *netasync.Engine {
	t.Helper()
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), interop.Patience)
		defer cancel()
		if err := engine.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return engine
}

func dialResume(t *testing.T, port string, o netasync.ConnectOptions) *netasync.Session {
	t.Helper()
	o.Resume, o.HeartbeatPeriod, o.Backoff = true, time.Second, netasync.FixedDelay(20*time.Millisecond)
	s, err := resumeEngine(t).Connect("127.0.0.1:"+port, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func listenResume(t *testing.T, addr string) *netasync.Listener {
	t.Helper()
	listener, err := resumeEngine(t).Listen(addr, netasync.ListenOptions{
		// Else a Hello of which only the beginning came would be a session.
		Resume: true, ResumeOnly: true, HeartbeatPeriod: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// resumeTalk is a session of ours whose messages and the peer's have all arrived.
type resumeTalk struct {
	session *netasync.Session
	peer    *interop.Peer
}

// converse has all lines go both ways while the proxy cuts.
func converse(t *testing.T, s *netasync.Session, peer *interop.Peer, c *interopProxy) *resumeTalk {
	t.Helper()
	m := &resumeTalk{session: s, peer: peer}
	wantAll(t,
		func() error { return talk(peer, interop.FromPeer) },
		func() error { return hear(peer, interop.FromUs) },
		m.talk, m.hear,
	)
	c.calm(t, resumeCuts)
	return m
}

func (m *resumeTalk) talk() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*interop.Patience)
	defer cancel()
	for i, line := range interop.Lines(interop.FromUs, resumeLines) {
		if err := m.session.Send(ctx, []byte(line)); err != nil {
			return fmt.Errorf("send message %d: %w", i, err)
		}
	}
	return nil
}

// hear takes what the peer says, and wants each connection but the first to go on with the session.
func (m *resumeTalk) hear() error {
	want := interop.Lines(interop.FromPeer, resumeLines)
	for i := 0; i < len(want); {
		event, err := recvWithin(m.session)
		if err != nil {
			return fmt.Errorf("after %d of %d messages: %w", i, len(want), err)
		}
		switch {
		case event.Kind == netasync.Message && string(event.Payload) == want[i]:
			i++
		case event.Kind == netasync.Connected && event.Resumed == (event.Epoch > 1) && event.Lost == 0:
		case event.Kind == netasync.Disconnected:
		default:
			return fmt.Errorf("after %d of %d messages: %v of connection %d, resumed %v, lost %d, %.100q: %w",
				i, len(want), event.Kind, event.Epoch, event.Resumed, event.Lost, event.Payload, event.Err)
		}
	}
	return nil
}

// endResume ends the session from our side or the peer's. A dialed one comes back after the peer's Bye,
// for a new session, and does not find it any more.
func endResume(t *testing.T, m *resumeTalk, ours bool) {
	t.Helper()
	if ours {
		if err := m.session.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	} else {
		m.peer.HangUp()
	}
	m.peer.WantOver(t)
	for {
		event, err := recvWithin(m.session)
		switch {
		case err != nil:
			t.Fatalf("no Closed: %v", err)
		case event.Kind == netasync.Disconnected && !ours && errors.Is(event.Err, io.EOF):
			m.session.CloseNow(nil)
		case event.Kind == netasync.Closed:
			if event.Queued != 0 || event.Lost != 0 || event.Err != nil {
				t.Errorf("closed with error %v, %d queued, %d lost", event.Err, event.Queued, event.Lost)
			}
			return
		case event.Kind == netasync.Message:
			t.Fatalf("one message too many: %q", event.Payload)
		}
	}
}

func recvWithin(s *netasync.Session) (netasync.Event, error) {
	ctx, cancel := context.WithTimeout(context.Background(), interop.Patience)
	defer cancel()
	return s.Recv(ctx)
}

// wantAll runs functions at the same time, and wants none to fail.
func wantAll(t *testing.T, functions ...func() error) {
	t.Helper()
	failures := make(chan error, len(functions))
	for _, f := range functions {
		go func() { failures <- f() }()
	}
	for range functions {
		if err := <-failures; err != nil {
			t.Fatal(err)
		}
	}
}

func talk(p *interop.Peer, origin interop.Origin) error {
	return p.Say(interop.Lines(origin, resumeLines))
}

// hear reads what a peer says until it has got all lines, once and in order, and its session has
// begun once.
func hear(p *interop.Peer, origin interop.Origin) error {
	want, resumed := interop.Lines(origin, resumeLines), false
	for i := 0; i < len(want); {
		line, err := p.Next()
		if err != nil {
			return fmt.Errorf("the peer, after %d of %d messages: %w", i, len(want), err)
		}
		switch what, text, _ := strings.Cut(line, " "); {
		case what == "got" && text == want[i]:
			i++
		case line == "connected resumed=true":
			resumed = true
		case line == "connected resumed=false" && !resumed && i == 0, line == "lost 0":
		default:
			return fmt.Errorf("after %d of %d messages the peer says %.100q", i, len(want), line)
		}
	}
	return nil
}
