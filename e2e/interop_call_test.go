//go:build interop

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
	"github.com/netasync/netasync/e2e/testdata/interop"
	"github.com/netasync/netasync/internal/testkit"
)

// These tests make calls of a program that has docs/call.md in common with us and no code, and answer its own.

// callsAtOnce is how many calls each end makes at once: as many as the other serves.
const callsAtOnce = 256

// TestInteropCalls has each end make as many calls as the other serves, all at once and both ways, of
// random sizes. The replies come in any order.
func TestInteropCalls(t *testing.T) {
	eachCallMeeting(t, call.Options{}, func(t *testing.T, m *callMeeting) {
		for round := range 3 {
			random := rand.New(rand.NewPCG(1, uint64(round)))
			requests := make([]string, 2*callsAtOnce)
			for i := range requests {
				requests[i] = fmt.Sprintf("echo %d.%d %s", round, i, strings.Repeat("x", random.IntN(20_000)))
			}
			wantAll(t,
				func() error { return m.echoAll(requests[:callsAtOnce]) },
				func() error { return m.tellAll(requests[callsAtOnce:]) },
				func() error { return m.hearAll(requests[callsAtOnce:]) },
			)
		}
	})
}

// TestInteropCallErrors has handlers fail at both ends, with a text that is not only ASCII, and with none.
func TestInteropCallErrors(t *testing.T) {
	eachCallMeeting(t, call.Options{}, func(t *testing.T, m *callMeeting) {
		for _, text := range []string{"für €5: no", ""} {
			_, err := m.ours.Call(testkit.Context(t), []byte("fail "+text))
			var remote *call.RemoteError
			if !errors.As(err, &remote) || remote.Message != text {
				t.Errorf("the peer's handler failed with %v, want %q", err, text)
			}
			m.wantLine(t, fmt.Sprintf("%d failure 1 %s", m.tell(t, 0, "fail "+text), text))
		}
	})
}

// TestInteropCallGivenUp has callers at both ends give up. The other's handler is told, and its answer
// comes all the same.
func TestInteropCallGivenUp(t *testing.T) {
	eachCallMeeting(t, call.Options{MaxCalls: 1}, func(t *testing.T, m *callMeeting) {
		ctx, cancel := context.WithCancel(t.Context())
		result := m.start(ctx, "wait ours")
		m.wantLine(t, "waiting ours 0")
		cancel()
		if err := testkit.Take(t, result); !errors.Is(err, context.Canceled) || !errors.Is(err, call.ErrLost) {
			t.Errorf("given up: %v", err)
		}
		m.wantLine(t, "stopped ours cancel")
		// There is room for one call: so that one has been answered.
		m.wantEcho(t)

		number := m.tell(t, 0, "wait theirs")
		if left := testkit.Take(t, m.began); left != 0 {
			t.Errorf("a deadline in %v, and the peer told none", left)
		}
		m.peer.Tell(t, fmt.Sprint("cancel ", number))
		if err := testkit.Take(t, m.stopped); !errors.Is(err, context.Canceled) {
			t.Errorf("the handler was stopped by %v", err)
		}
		m.wantLine(t, fmt.Sprintf("%d failure 1 %v", number, context.Canceled))
		m.peer.Tell(t, fmt.Sprint("cancel ", number)) // late, and ignored
		m.wantEcho(t)
	})
}

// TestInteropCallDeadline passes deadlines over, to both ends.
func TestInteropCallDeadline(t *testing.T) {
	eachCallMeeting(t, call.Options{}, func(t *testing.T, m *callMeeting) {
		const far, near = time.Hour, 300 * time.Millisecond
		ctx, cancel := context.WithTimeout(testkit.Context(t), near)
		defer cancel()
		result := m.start(ctx, "wait ours")
		var left time.Duration
		if _, err := fmt.Sscanf(m.peer.Want(t, "waiting ours"), "waiting ours %d", &left); err != nil || left <= 0 || left > near {
			t.Errorf("the peer has %v left (%v), want at most %v", left, err, near)
		}
		// Either end may find first that time is over.
		err := testkit.Take(t, result)
		if stopped := m.peer.Want(t, "stopped ours"); stopped != "stopped ours deadline" && stopped != "stopped ours cancel" {
			t.Errorf("the peer says %q", stopped)
		}
		var remote *call.RemoteError
		if !errors.Is(err, context.DeadlineExceeded) && !(errors.As(err, &remote) && remote.Message == "deadline") {
			t.Errorf("after the deadline: %v", err)
		}

		number := m.tell(t, near, "wait theirs")
		if left := testkit.Take(t, m.began); left <= 0 || left > near {
			t.Errorf("%v left, want at most %v", left, near)
		}
		if err := testkit.Take(t, m.stopped); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the handler was stopped by %v", err) // the peer has sent no Cancel
		}
		m.wantLine(t, fmt.Sprintf("%d failure 1 %v", number, context.DeadlineExceeded))

		number = m.tell(t, far, "wait theirs")
		if left := testkit.Take(t, m.began); left <= far-interop.Patience || left > far {
			t.Errorf("%v left, want nearly %v", left, far)
		}
		m.peer.Tell(t, fmt.Sprint("cancel ", number))
		m.wantLine(t, fmt.Sprintf("%d failure 1 %v", number, context.Canceled))
	})
}

// TestInteropCallRefused asks each end for one call more than it serves, and for one when it has ceased to.
func TestInteropCallRefused(t *testing.T) {
	eachCallMeeting(t, call.Options{MaxCalls: callsAtOnce + 1, MaxHandlers: 1}, func(t *testing.T, m *callMeeting) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var waiting []<-chan error
		for range callsAtOnce {
			waiting = append(waiting, m.start(ctx, "wait ours"))
		}
		for range waiting {
			m.wantLine(t, "waiting ours 0")
		}
		if _, err := m.ours.Call(ctx, []byte("echo")); !errors.Is(err, call.ErrBusy) {
			t.Errorf("one call too many: %v", err)
		}
		cancel()
		for _, result := range waiting {
			if err := testkit.Take(t, result); !errors.Is(err, context.Canceled) {
				t.Errorf("given up: %v", err)
			}
		}
		for range waiting {
			m.wantLine(t, "stopped ours cancel")
		}
		m.wantEcho(t)

		first := m.tell(t, 0, "wait theirs")
		testkit.Take(t, m.began)
		m.wantLine(t, fmt.Sprintf("%d failure 128 ", m.tell(t, 0, "echo")))
		m.cease()
		m.wantLine(t, fmt.Sprintf("%d failure 1 %v", first, context.Canceled))
		if err := testkit.Take(t, m.served); !errors.Is(err, context.Canceled) {
			t.Errorf("Serve returned %v", err)
		}
		m.wantLine(t, fmt.Sprintf("%d failure 129 ", m.tell(t, 0, "echo")))
	})
}

// TestInteropCallUnknown has the peer answer a call that we have not made: the connection ends.
func TestInteropCallUnknown(t *testing.T) {
	eachCallMeeting(t, call.Options{}, func(t *testing.T, m *callMeeting) {
		result := m.start(t.Context(), "wait ours")
		m.wantLine(t, "waiting ours 0")
		m.tell(t, 0, "wait theirs")
		testkit.Take(t, m.began)
		m.peer.Tell(t, "reply 99")
		if err := testkit.Take(t, result); !errors.Is(err, call.ErrProtocol) || !errors.Is(err, call.ErrLost) {
			t.Errorf("after an answer to no call: %v", err)
		}
		if err := testkit.Take(t, m.stopped); !errors.Is(err, context.Canceled) {
			t.Errorf("the handler for a peer that is gone was stopped by %v", err)
		}
		m.wantLine(t, "stopped ours gone")
		m.peer.Want(t, "over")
	})
}

// TestInteropCallPeerRefusesToRead has the peer read what is no frame: it ends the connection, and says why.
func TestInteropCallPeerRefusesToRead(t *testing.T) {
	const end, none = "\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7", "\x00\x00\x00\x00\x00\x00\x00"
	for name, bad := range map[string]struct{ message, why string }{
		"call 0":    {"\x12\x00<me>" + none + "\x00", "over an answer to a call that was not made"},
		"call 99":   {"\x12\x00<me>" + none + "\x63", "over an answer to a call that was not made"},
		"echo":      {"\x11\x00<me>" + none + "\x01" + none + "\x00", "over a wrong request"},
		"timeout":   {"\x11\x00" + end + none + "\x01\x80" + none, "over a wrong request"},
		"version 2": {"\x22\x00" + end + none + "\x01" + none + "\x00", "over another version"},
		"kind 5":    {"\x15\x00" + end + none + "\x01", "over too short, or of no kind"},
		"kind 0":    {"\x10\x00" + end + none + "\x01", "over too short, or of no kind"},
		"short":     {"\x13\x00" + end + none + "\x01", "over too short, or of no kind"},
	} {
		t.Run(name, func(t *testing.T) {
			eachCallPeer(t, func(t *testing.T, s *netasync.Session, peer *interop.Peer) {
				peer.Tell(t, "call 0 echo")
				expect(t, s, netasync.Connected)
				request := expect(t, s, netasync.Message).Payload
				me := string(request[2:10])
				// The first three are ignored: a kind for later, an answer to another end, a Cancel of no call.
				for _, message := range []string{
					"\x18", "\x12\x00" + end + none + "\x63", "\x14\x00<me>" + none + "\x63 later", bad.message,
				} {
					send(t, s, strings.ReplaceAll(message, "<me>", me))
				}
				if why := peer.Want(t, "over"); why != bad.why {
					t.Errorf("the peer says %q, want %q", why, bad.why)
				}
			})
		})
	}
}
