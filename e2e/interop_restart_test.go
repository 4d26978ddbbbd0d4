//go:build interop

package e2e_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/e2e/testdata/interop"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

// TestInteropResumeTheirRestart kills the listening peer with messages of ours on their way. The one
// that is started in its place does not know the session: a new one begins, and we know what is lost.
func TestInteropResumeTheirRestart(t *testing.T) {
	for _, language := range interop.Languages {
		t.Run(language.Name, func(t *testing.T) {
			peer := language.StartResume(t, "listen", "0")
			at := peer.Port
			proxy := netasynctest.NewProxy(t, "127.0.0.1:"+at)
			s := dialResume(t, tcpPort(t, proxy.Addr()), netasync.ConnectOptions{})
			sendLines(t, s, "arrives")
			if err := s.Flush(testkit.Context(t)); err != nil {
				t.Fatal(err)
			}
			peer.Want(t, "got arrives")

			proxy.Vanish()
			sendLines(t, s, "in doubt 1", "in doubt 2", "in doubt 3")
			testkit.Eventually(t, func() bool { return s.Stats().Sent == 4 }, "all is sent")
			peer.Kill(t)
			peer = language.StartResume(t, "listen", at)
			proxy.Cut(nil)
			proxy.Heal()
			again := wantConnected(t, s, 2)
			if again.Resumed || again.Lost != 3 {
				t.Errorf("resumed %v, lost %d; want a new session and 3 lost", again.Resumed, again.Lost)
			}
			sendLines(t, s, "afterwards")
			for _, want := range []string{"connected resumed=false", "got afterwards"} {
				if got, err := peer.Next(); err != nil || got != want {
					t.Fatalf("the peer says %q (%v), want %q", got, err, want)
				}
			}
		})
	}
}

// TestInteropResumeOurRestart is the other way round: another engine takes the place of the one that the
// peer has dialed, and does not know the session.
func TestInteropResumeOurRestart(t *testing.T) {
	for _, language := range interop.Languages {
		t.Run(language.Name, func(t *testing.T) {
			listener := listenResume(t, "127.0.0.1:0")
			proxy := netasynctest.NewProxy(t, listener.Addr().String())
			peer := language.StartResume(t, "connect", tcpPort(t, proxy.Addr()))
			peer.Want(t, "connected resumed=false")
			before := testkit.Take(t, listener.AcceptChan())
			lines := []string{"arrives", "in doubt 1", "in doubt 2", "in doubt 3"}
			if err := peer.Say(lines[:1]); err != nil {
				t.Fatal(err)
			}
			if got := messagesUpTo(t, before, lines[0]); len(got) > 0 {
				t.Fatalf("got %q before it", got)
			}

			proxy.Vanish()
			if err := peer.Say(lines[1:]); err != nil {
				t.Fatal(err)
			}
			before.CloseNow(nil)
			listener.Close()
			listener = listenResume(t, listener.Addr().String())
			proxy.Cut(nil)
			proxy.Heal()
			after := testkit.Take(t, listener.AcceptChan())
			var lost int
			if _, err := fmt.Sscanf(peer.Want(t, "lost"), "lost %d", &lost); err != nil {
				t.Fatal(err)
			}
			peer.Want(t, "connected resumed=false")
			if err := peer.Say([]string{"the last"}); err != nil {
				t.Fatal(err)
			}
			// What the peer had not sent yet comes now. The first may not have been acknowledged.
			got := messagesUpTo(t, after, "the last")
			missing := len(lines) - len(got)
			if lost != missing && lost != missing-1 || !slices.Equal(got, lines[missing:]) {
				t.Errorf("the peer lost %d, and %q came", lost, got)
			}
			sendLines(t, after, "afterwards")
			peer.Want(t, "got afterwards")
			if err := after.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			peer.WantOver(t)
		})
	}
}

func tcpPort(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func sendLines(t *testing.T, s *netasync.Session, lines ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), interop.Patience)
	defer cancel()
	for _, line := range lines {
		if err := s.Send(ctx, []byte(line)); err != nil {
			t.Fatalf("send %q: %v", line, err)
		}
	}
}

// wantConnected skips events up to a connection.
func wantConnected(t *testing.T, s *netasync.Session, epoch uint64) netasync.Event {
	t.Helper()
	for {
		event, err := recvWithin(s)
		if err != nil || event.Epoch > epoch {
			t.Fatalf("no connection %d: %v %v", epoch, event.Kind, err)
		}
		if event.Kind == netasync.Connected && event.Epoch == epoch {
			return event
		}
	}
}

// messagesUpTo returns the messages of a session that has just been accepted, up to the last.
func messagesUpTo(t *testing.T, s *netasync.Session, last string) (got []string) {
	t.Helper()
	wantConnected(t, s, 1)
	for {
		event, err := recvWithin(s)
		switch {
		case err != nil || event.Kind != netasync.Message:
			t.Fatalf("after the messages %q: %v %v", got, event.Kind, err)
		case string(event.Payload) == last:
			return got
		}
		got = append(got, string(event.Payload))
	}
}
