package e2e_test

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// What happened lately can be looked at: which sessions came, went and came back, and why.
func TestHistory(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{Name: "collector"})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{Name: "agent", Backoff: quick})
	accepted := testkit.Take(t, ln.AcceptChan())
	expect(t, c, netasync.Connected)
	send(t, c, "one")
	cause := errors.New("enough")
	expect(t, accepted, netasync.Connected)
	expectMessages(t, accepted, "one")
	accepted.CloseNow(cause)
	expect(t, c, netasync.Disconnected)
	expect(t, c, netasync.Connected)
	require.NoError(t, c.Close())
	expectClosed(t, c)
	testkit.Eventually(t, func() bool { return len(e.History().Closed()) == 3 }, "both ends are kept, and the second accepted one")

	var own []netasync.PastEvent
	for _, ev := range e.History().Events() {
		if ev.Session == c.ID() {
			own = append(own, ev)
			require.Equal(t, "agent", ev.Name)
			require.Equal(t, ln.Addr().String(), ev.Remote.String())
			require.False(t, ev.Time.IsZero())
		}
	}
	var kinds []netasync.EventKind
	for _, ev := range own {
		kinds = append(kinds, ev.Kind)
	}
	require.Equal(t, []netasync.EventKind{
		netasync.Connected, netasync.Disconnected, netasync.Connected, netasync.Closed,
	}, kinds)
	require.Error(t, own[1].Err)
	require.EqualValues(t, 2, own[3].Epoch)

	closed := map[uint64]netasync.ClosedSession{}
	for _, s := range e.History().Closed() {
		closed[s.Session] = s
	}
	require.EqualValues(t, 1, closed[c.ID()].Stats.Sent)
	require.EqualValues(t, 2, closed[c.ID()].Stats.Epoch)
	require.EqualValues(t, 1, closed[accepted.ID()].Stats.Received)
	require.ErrorIs(t, closed[accepted.ID()].Err, cause)
	require.Equal(t, accepted.RemoteAddr(), closed[accepted.ID()].Remote)
}

// A session without a connection is kept as well, and an attempt that fails at first is an event.
func TestHistoryOfAnUnreachablePeer(t *testing.T) {
	e := newEngine(t)
	c := connect(t, e, testkit.DeadAddr(t), netasync.ConnectOptions{Backoff: quick, MaxAttempts: 3})
	expect(t, c, netasync.Disconnected)
	expectClosed(t, c)
	testkit.Eventually(t, func() bool { return len(e.History().Closed()) == 1 }, "it is kept")
	events := e.History().Events()
	require.Len(t, events, 2)
	require.Equal(t, netasync.Disconnected, events[0].Kind)
	require.ErrorIs(t, events[0].Err, syscall.ECONNREFUSED)
	require.EqualValues(t, 3, e.History().Closed()[0].Stats.Attempts)
}

// The bounds that History documents.
const pastEvents, closedSessions = 512, 128

// However many sessions come and go, the history keeps the latest.
func TestHistoryIsBounded(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{OnEvent: func(*netasync.Session, netasync.Event) {}})
	const rounds = pastEvents/4 + 10 // two sessions in each, with two events
	for range rounds {
		c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
		expect(t, c, netasync.Connected)
		require.NoError(t, c.Close())
		expectClosed(t, c)
	}
	testkit.Eventually(t, func() bool { return e.Stats().Sessions == 0 }, "all have closed")
	events, closed := e.History().Events(), e.History().Closed()
	require.Len(t, events, pastEvents)
	require.Len(t, closed, closedSessions)
	for i := range events[1:] {
		require.False(t, events[i+1].Time.Before(events[i].Time), "oldest first")
	}
	require.Greater(t, closed[0].Session, uint64(2*rounds-closedSessions-10), "the latest")
}

// brokenListener fails to accept until it is mended.
type brokenListener struct {
	net.Listener
	mu   sync.Mutex
	fail error
}

func (l *brokenListener) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = nil
}

func (l *brokenListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	fail := l.fail
	l.mu.Unlock()
	if fail != nil {
		return nil, fail
	}
	return l.Listener.Accept()
}

// An engine is well unless a listener cannot take connections, which it says by the listener's name.
func TestHealth(t *testing.T) {
	e := newEngine(t)
	require.NoError(t, e.Health())
	full := listen(t, e, netasync.ListenOptions{Name: "full", AcceptBuffer: 1})
	require.NoError(t, e.Health())
	connect(t, e, full.Addr(), netasync.ConnectOptions{})
	connect(t, e, testkit.DeadAddr(t), netasync.ConnectOptions{}) // whose peer is not well
	testkit.Eventually(t, func() bool { return e.Health() != nil }, "nobody takes sessions")
	require.ErrorIs(t, e.Health(), netasync.ErrAcceptFull)
	require.ErrorContains(t, e.Health(), "full")

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	broken := &brokenListener{Listener: ln, fail: fmt.Errorf("accept: %w", syscall.EMFILE)}
	served, err := e.Serve(broken, netasync.ListenOptions{Name: "broken"})
	require.NoError(t, err)
	testkit.Eventually(t, func() bool { return errors.Is(e.Health(), netasync.ErrAcceptPaused) }, "it backs off")
	require.ErrorIs(t, e.Health(), syscall.EMFILE)
	require.ErrorIs(t, e.Health(), netasync.ErrAcceptFull, "both are told")

	broken.mend()
	testkit.Take(t, full.AcceptChan())
	testkit.Eventually(t, func() bool { return e.Health() == nil }, "all is well again")
	require.NoError(t, served.Close())
	require.NoError(t, e.Health(), "a listener that the user has closed is no fault")
	require.NoError(t, e.Shutdown(testkit.Context(t)))
	require.ErrorIs(t, e.Health(), netasync.ErrShutdown)
}

// So is a Handler.
func TestHealthOfAHandler(t *testing.T) {
	h, addr := embed(t, netasync.ListenOptions{AcceptBuffer: 1})
	require.NoError(t, h.Health())
	conn := testkit.Dial(t, addr)
	testkit.Write(t, conn, testkit.Frames("hello"))
	testkit.Eventually(t, func() bool { return errors.Is(h.Health(), netasync.ErrAcceptFull) }, "nobody takes sessions")
	s := testkit.Take(t, h.AcceptChan())
	require.NoError(t, h.Health())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, "hello")
	require.NoError(t, conn.Close())
	testkit.Eventually(t, func() bool { return len(h.History().Closed()) == 1 }, "it is kept")
	require.Error(t, h.History().Closed()[0].Err)
	require.NoError(t, h.Shutdown(testkit.Context(t)))
	require.ErrorIs(t, h.Health(), netasync.ErrShutdown)
}
