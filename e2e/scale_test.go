//go:build unix

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

const (
	manySessions = 8000
	// manyDescriptors is what they need: one at each end, and some for those that are being opened.
	manyDescriptors = 2*manySessions + 2000
	manyWorkers     = 64 // clients that connect or echo at a time
)

// allowDescriptors raises the limit of open files to n if it is lower.
func allowDescriptors(t *testing.T, n uint64) {
	t.Helper()
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if uint64(limit.Cur) >= n {
		return
	}
	require.GreaterOrEqual(t, uint64(limit.Max), n, "this test needs %d descriptors; raise the hard limit (ulimit -Hn)", n)
	raised := limit
	raised.Cur = raised.Max
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised), "this test needs %d descriptors", n)
}

// 8,000 sessions are open at once, both ends in one process; each echoes; then Shutdown ends them
// all, within Patience.
func TestManySessions(t *testing.T) {
	allowDescriptors(t, manyDescriptors)
	servers, clients := newEngine(t), newEngine(t)
	ln := listen(t, servers, netasync.ListenOptions{
		HeartbeatPeriod: time.Minute, AcceptBuffer: manySessions,
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				_ = s.Send(context.Background(), ev.Payload)
			}
		},
		Inline: true,
	})
	sessions := make([]*netasync.Session, manySessions)
	open := func(i int) (err error) {
		sessions[i], err = clients.Connect(ln.Addr().String(), netasync.ConnectOptions{HeartbeatPeriod: time.Minute, DialTimeout: time.Minute})
		if err != nil {
			return err
		}
		return answer(sessions[i], netasync.Connected, "")
	}
	ask := func(i int) error {
		text := fmt.Sprintf("session %d", i)
		if err := sessions[i].Send(context.Background(), []byte(text)); err != nil {
			return err
		}
		return answer(sessions[i], netasync.Message, text)
	}
	forMany(t, open)
	require.Equal(t, manySessions, clients.Stats().Sessions)
	forMany(t, ask) // the last ones may not even have been accepted yet
	require.Equal(t, manySessions, servers.Stats().Sessions)

	began := time.Now()
	require.NoError(t, clients.Shutdown(testkit.Context(t)))
	require.NoError(t, servers.Shutdown(testkit.Context(t)))
	t.Logf("shutdown took %v", time.Since(began))
	for _, s := range sessions {
		untilClosed(t, s)
	}
}

// answer wants the next event to be of a kind and to carry a text.
func answer(s *netasync.Session, kind netasync.EventKind, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	ev, err := s.Recv(ctx)
	if err != nil {
		return err
	}
	if ev.Kind != kind || string(ev.Payload) != text {
		return fmt.Errorf("got %v %q %w", ev.Kind, ev.Payload, ev.Err)
	}
	return nil
}

// forMany does something for each session, several at a time.
func forMany(t *testing.T, do func(i int) error) {
	t.Helper()
	errs := make([]error, manyWorkers)
	var all sync.WaitGroup
	for w := range manyWorkers {
		all.Go(func() {
			for i := w; i < manySessions && errs[w] == nil; i += manyWorkers {
				errs[w] = do(i)
			}
		})
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
}

// When descriptors run out, accepting pauses, and goes on when there are some again.
func TestTooManyOpenFiles(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{NoGreeting: true})
	go echo(ln.AcceptChan())
	first := testkit.Dial(t, ln.Addr())
	testkit.Write(t, first, testkit.Frames("hello"))
	expectFrames(t, first, "hello")
	second := testkit.Dial(t, ln.Addr()) // accepted, so that no accepting is under way below
	testkit.Write(t, second, testkit.Frames("hello"))
	expectFrames(t, second, "hello")

	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) })
	client, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer syscall.Close(client)
	low := limit
	low.Cur = 3 // whatever is open stays open
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low))
	addr := &syscall.SockaddrInet4{Port: portOf(ln.Addr()), Addr: [4]byte{127, 0, 0, 1}}
	require.NoError(t, syscall.Connect(client, addr))
	_, err = syscall.Write(client, testkit.Frames("patience"))
	require.NoError(t, err)
	for range 100 { // time enough to fail
		testkit.Write(t, first, testkit.Frames("well?"))
		expectFrames(t, first, "well?")
	}
	require.EqualValues(t, 2, e.Stats().Accepted)

	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	patience := syscall.NsecToTimeval(int64(testkit.Patience))
	require.NoError(t, syscall.SetsockoptTimeval(client, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &patience))
	want := testkit.Frames("patience")
	got := make([]byte, len(want))
	n, err := syscall.Read(client, got)
	require.NoError(t, err)
	require.Equal(t, want, got[:n])
}
