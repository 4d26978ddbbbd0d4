//go:build interop

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/e2e/testdata/interop"
)

// These tests talk to programs in other languages that were given nothing of
// ours: see testdata/interop/README.md for what they do, say and expect.

// interopCalm is a heartbeat period for when heartbeats are not the subject.
const interopCalm = time.Minute

// TestInteropExchange sends the whole plan both ways at once, the peer's with a
// heartbeat before each message and others when they fall due.
func TestInteropExchange(t *testing.T) {
	interopEach(t, func(t *testing.T, m *interopMeeting) {
		m.open(t, interopCalm, "do=check,send,mix", "heartbeat=5")
		sent := make(chan error, 1)
		go func() { sent <- m.sendPlan() }()
		m.wantPlan(t)
		if err := <-sent; err != nil {
			t.Fatalf("send: %v", err)
		}
		m.peer.Want(t, fmt.Sprintf("checked %d", interop.Total()))
	})
}

// TestInteropHeartbeats lives on heartbeats alone for three timeouts, then
// loses the peer's, and is told so.
func TestInteropHeartbeats(t *testing.T) {
	interopEach(t, func(t *testing.T, m *interopMeeting) {
		const period, timeout = 100 * time.Millisecond, 400 * time.Millisecond
		m.open(t, period, "do=echo", "heartbeat=100")
		began := time.Now()
		m.peer.Want(t, fmt.Sprintf("empty %d", 3*timeout/period))
		if idle := time.Since(began); idle < 2*timeout {
			t.Fatalf("our heartbeats came too fast to prove anything: %v", idle)
		}
		// Had a heartbeat been delivered, or the session been lost, that event
		// would stand before this reply.
		m.wantEcho(t, "still here", 1)

		m.peer.Tell(t, "silence")
		asked := time.Now()
		m.wantEnd(t, netasync.ErrHeartbeatTimeout)
		if after := time.Since(asked); after < timeout-period-period/2 || after > 5*time.Second {
			t.Errorf("silence was found after %v, timeout %v", after, timeout)
		}
		m.peer.Want(t, "end clean messages=1")
	})
}

// TestInteropRestart kills the peer and starts another. A dialed session talks
// on with the new one; to a listener the new one is a new session.
func TestInteropRestart(t *testing.T) {
	interopEach(t, func(t *testing.T, m *interopMeeting) {
		m.open(t, interopCalm, "do=echo")
		m.wantEcho(t, "before", 1)
		port := m.peer.Port
		m.peer.Kill(t)
		m.wantEnd(t, nil)
		if m.dialed {
			if err := m.send([]byte("meanwhile")); err != nil {
				t.Fatalf("send while disconnected: %v", err)
			}
			m.peer = m.language.Start(t, "role=listen", "port="+port, "do=echo")
			m.wantEvent(t, netasync.Connected, 2)
			if got := m.wantEvent(t, netasync.Message, 2); string(got.Payload) != "meanwhile" {
				t.Fatalf("got %q, want what was sent while disconnected", got.Payload)
			}
			m.wantEcho(t, "after", 2)
			return
		}
		gone := m.session
		m.accept(t, "do=echo")
		if m.session.ID() == gone.ID() {
			t.Errorf("two sessions with the ID %d", gone.ID())
		}
		m.wantEcho(t, "after", 1)
	})
}

// TestInteropOurClose closes with the plan still queued: all of it arrives,
// and then an orderly end.
func TestInteropOurClose(t *testing.T) {
	interopEach(t, func(t *testing.T, m *interopMeeting) {
		m.open(t, interopCalm, "do=check")
		if err := m.sendPlan(); err != nil {
			t.Fatalf("send: %v", err)
		}
		m.close(t)
		closed := m.wantEvent(t, netasync.Closed, 1)
		if closed.Err != nil || closed.Queued != 0 {
			t.Errorf("closed with error %v and %d messages unsent", closed.Err, closed.Queued)
		}
		m.peer.Want(t, fmt.Sprintf("checked %d", interop.Total()))
		greetings := 0
		if !m.dialed {
			greetings = 1
		}
		m.peer.Want(t, fmt.Sprintf("end clean messages=%d empty=%d", interop.Total(), greetings))
	})
}

// TestInteropPeerCloses has the peer say the plan and close at once: all of it
// is delivered before the end is.
func TestInteropPeerCloses(t *testing.T) {
	interopEach(t, func(t *testing.T, m *interopMeeting) {
		m.open(t, interopCalm, "do=send,close")
		m.wantPlan(t)
		m.wantEnd(t, io.EOF)
		if m.dialed {
			m.wantEvent(t, netasync.Connected, 2)
		}
	})
}

// interopMeeting is one session of ours and the peer at its other end. The
// dialed ones use Send and Recv, the accepted ones the channels.
type interopMeeting struct {
	language interop.Language
	dialed   bool
	resume   bool // the listener is ready for more than its plain peer knows
	engine   *netasync.Engine
	listener *netasync.Listener
	session  *netasync.Session
	peer     *interop.Peer
}

func interopEach(t *testing.T, test func(*testing.T, *interopMeeting)) {
	for _, language := range interop.Languages {
		t.Run(language.Name+"/dialed", func(t *testing.T) { test(t, &interopMeeting{language: language, dialed: true}) })
		for _, resume := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/accepted, Resume %v", language.Name, resume), func(t *testing.T) {
				test(t, &interopMeeting{language: language, resume: resume})
			})
		}
	}
}

// open brings the two together. The timeout is the default, four periods.
func (m *interopMeeting) open(t *testing.T, period time.Duration, args ...string) {
	t.Helper()
	var err error
	if m.engine, err = netasync.NewEngine(netasync.EngineOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), interop.Patience)
		defer cancel()
		if err := m.engine.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	if !m.dialed {
		o := netasync.ListenOptions{HeartbeatPeriod: period, Resume: m.resume}
		if m.listener, err = m.engine.Listen("127.0.0.1:0", o); err != nil {
			t.Fatal(err)
		}
		m.accept(t, args...)
		return
	}
	m.peer = m.language.Start(t, append(args, "role=listen")...)
	m.session, err = m.engine.Connect("127.0.0.1:"+m.peer.Port, netasync.ConnectOptions{
		HeartbeatPeriod: period,
		Backoff:         netasync.FixedDelay(50 * time.Millisecond),
	})
	if err != nil {
		t.Fatal(err)
	}
	m.wantEvent(t, netasync.Connected, 1)
}

func (m *interopMeeting) accept(t *testing.T, args ...string) {
	t.Helper()
	port := tcpPort(t, m.listener.Addr().String())
	m.peer = m.language.Start(t, append(args, "role=connect", "port="+port)...)
	select {
	case m.session = <-m.listener.AcceptChan():
	case <-time.After(interop.Patience):
		t.Fatal("no session was accepted")
	}
	m.wantEvent(t, netasync.Connected, 1)
}

func (m *interopMeeting) send(payload []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), interop.Patience)
	defer cancel()
	if m.dialed {
		return m.session.Send(ctx, payload)
	}
	select {
	case m.session.WriteChan() <- payload:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *interopMeeting) sendPlan() error {
	for i := range interop.Total() {
		if err := m.send(interop.Payload(interop.FromUs, i)); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	return nil
}

func (m *interopMeeting) close(t *testing.T) {
	t.Helper()
	if !m.dialed {
		close(m.session.WriteChan())
	} else if err := m.session.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func (m *interopMeeting) recv() (netasync.Event, error) {
	ctx, cancel := context.WithTimeout(context.Background(), interop.Patience)
	defer cancel()
	if m.dialed {
		return m.session.Recv(ctx)
	}
	select {
	case event, open := <-m.session.ReadChan():
		if !open {
			return event, io.EOF
		}
		return event, nil
	case <-ctx.Done():
		return netasync.Event{}, ctx.Err()
	}
}

func (m *interopMeeting) wantEvent(t *testing.T, kind netasync.EventKind, epoch uint64) netasync.Event {
	t.Helper()
	event, err := m.recv()
	if err != nil {
		t.Fatalf("want event %v, got the error %v", kind, err)
	}
	if event.Kind != kind || event.Epoch != epoch {
		t.Fatalf("want event %v of connection %d, got %v of %d: %d bytes, error %v",
			kind, epoch, event.Kind, event.Epoch, len(event.Payload), event.Err)
	}
	return event
}

// wantEnd wants the first connection to be over: a dialed session is then
// Disconnected and comes back, an accepted one is Closed and does not.
func (m *interopMeeting) wantEnd(t *testing.T, cause error) {
	t.Helper()
	kind := netasync.Closed
	if m.dialed {
		kind = netasync.Disconnected
	}
	event := m.wantEvent(t, kind, 1)
	if event.Err == nil || (cause != nil && !errors.Is(event.Err, cause)) {
		t.Errorf("ended with %v, want %v", event.Err, cause)
	}
	if m.dialed {
		return
	}
	if event, err := m.recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after Closed: %+v, %v", event, err)
	}
}

func (m *interopMeeting) wantEcho(t *testing.T, text string, epoch uint64) {
	t.Helper()
	if err := m.send([]byte(text)); err != nil {
		t.Fatalf("send: %v", err)
	}
	if got := m.wantEvent(t, netasync.Message, epoch); string(got.Payload) != text {
		t.Fatalf("got %q, want %q", got.Payload, text)
	}
}

func (m *interopMeeting) wantPlan(t *testing.T) {
	t.Helper()
	for i := range interop.Total() {
		got := m.wantEvent(t, netasync.Message, 1)
		if !bytes.Equal(got.Payload, interop.Payload(interop.FromPeer, i)) {
			t.Fatalf("message %d is not the one of the plan: %d bytes", i, len(got.Payload))
		}
	}
}
