//go:build interop

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
	"github.com/netasync/netasync/e2e/testdata/interop"
	"github.com/netasync/netasync/internal/testkit"
)

// callMeeting is one end of ours, which serves, and the peer with the other.
type callMeeting struct {
	ours    *call.Peer
	peer    *interop.Peer
	calls   int                // of the peer
	began   chan time.Duration // a handler of ours waits; what is left to it, 0: no deadline
	stopped chan error         // and why it was stopped
	cease   context.CancelFunc // ends Serve
	served  chan error         // what that returned
}

// eachCallPeer has the peer listen, and then dial.
func eachCallPeer(t *testing.T, test func(*testing.T, *netasync.Session, *interop.Peer)) {
	for _, language := range interop.Callers() {
		t.Run(language.Name+"/dialed", func(t *testing.T) {
			peer := language.StartCall(t, "listen", "0")
			s, err := newEngine(t).Connect("127.0.0.1:"+peer.Port, netasync.ConnectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			peer.Want(t, "connected")
			test(t, s, peer)
		})
		t.Run(language.Name+"/accepted", func(t *testing.T) {
			listener := listen(t, newEngine(t), netasync.ListenOptions{})
			peer := language.StartCall(t, "connect", tcpPort(t, listener.Addr().String()))
			test(t, testkit.Take(t, listener.AcceptChan()), peer)
		})
	}
}

// eachCallMeeting is eachCallPeer with calls at our end.
func eachCallMeeting(t *testing.T, o call.Options, test func(*testing.T, *callMeeting)) {
	eachCallPeer(t, func(t *testing.T, s *netasync.Session, peer *interop.Peer) {
		m := &callMeeting{
			ours: call.New(s, o), peer: peer,
			began: make(chan time.Duration, 1), stopped: make(chan error, 1), served: make(chan error, 1),
		}
		var ctx context.Context
		ctx, m.cease = context.WithCancel(context.Background())
		defer m.cease()
		go func() {
			defer close(m.served)
			m.served <- m.ours.Serve(ctx, m.handle)
		}()
		test(t, m)
		m.cease()
		for range m.served {
		}
	})
}

// handle does the same as the peer's.
func (m *callMeeting) handle(ctx context.Context, request []byte) ([]byte, error) {
	switch what, text, _ := strings.Cut(string(request), " "); what {
	case "fail":
		return nil, errors.New(text)
	case "wait":
		var left time.Duration
		if deadline, set := ctx.Deadline(); set {
			left = time.Until(deadline)
		}
		m.began <- left
		<-ctx.Done()
		m.stopped <- ctx.Err()
		return nil, ctx.Err()
	}
	return append([]byte("re "), request...), nil
}

// start begins a call of ours, and returns where its error will be.
func (m *callMeeting) start(ctx context.Context, request string) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, err := m.ours.Call(ctx, []byte(request))
		result <- err
	}()
	return result
}

// echo makes a call of ours.
func (m *callMeeting) echo(request string) error {
	ctx, cancel := context.WithTimeout(context.Background(), interop.Patience)
	defer cancel()
	reply, err := m.ours.Call(ctx, []byte(request))
	if err != nil || string(reply) != "re "+request {
		return fmt.Errorf("%.20q is answered by %.20q, of %d bytes: %w", request, reply, len(reply), err)
	}
	return nil
}

func (m *callMeeting) wantEcho(t *testing.T) {
	t.Helper()
	if err := m.echo("echo"); err != nil {
		t.Fatal(err)
	}
}

// echoAll makes calls of ours, all at once.
func (m *callMeeting) echoAll(requests []string) error {
	results := make(chan error, len(requests))
	for _, request := range requests {
		go func() { results <- m.echo(request) }()
	}
	var failures []error
	for range requests {
		failures = append(failures, <-results)
	}
	return errors.Join(failures...)
}

// tell has the peer make a call, and returns its number.
func (m *callMeeting) tell(t *testing.T, timeout time.Duration, request string) int {
	t.Helper()
	m.calls++
	m.peer.Tell(t, fmt.Sprintf("call %d %s", timeout, request))
	return m.calls
}

// tellAll has the peer make calls, all at once.
func (m *callMeeting) tellAll(requests []string) error {
	commands := make([]string, len(requests))
	for i, request := range requests {
		commands[i] = "call 0 " + request
	}
	return m.peer.Say(commands)
}

// hearAll wants the peer to have one reply to each of these calls, after those that it has made before.
func (m *callMeeting) hearAll(requests []string) error {
	missing := make(map[string]bool, len(requests))
	for _, request := range requests {
		m.calls++
		missing[fmt.Sprintf("%d reply re %s", m.calls, request)] = true
	}
	for len(missing) > 0 {
		line, err := m.peer.Next()
		if err != nil {
			return fmt.Errorf("%d replies are missing: %w", len(missing), err)
		}
		if !missing[line] {
			return fmt.Errorf("%d replies are missing, and the peer says %.40q", len(missing), line)
		}
		delete(missing, line)
	}
	return nil
}

// wantLine wants this to be what the peer says next.
func (m *callMeeting) wantLine(t *testing.T, want string) {
	t.Helper()
	if line, err := m.peer.Next(); err != nil || line != want {
		t.Fatalf("the peer says %.100q (%v), want %q", line, err, want)
	}
}
