package e2e_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// What can be seen from outside.

// Totals are by name, of those that have closed, too.
func TestTotalsByName(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{Name: "collector"})
	go echo(ln.AcceptChan())
	for range 3 {
		c := connect(t, e, ln.Addr(), netasync.ConnectOptions{Name: "agents"})
		expect(t, c, netasync.Connected)
		send(t, c, "one", "two")
		expectMessages(t, c, "one", "two")
		require.NoError(t, c.Close())
		expectClosed(t, c)
	}
	open := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	expect(t, open, netasync.Connected)
	send(t, open, "three")
	expectMessages(t, open, "three")
	testkit.Eventually(t, func() bool { return e.Stats().Sessions == 2 }, "the closed ones are gone at both ends")

	sums := map[string]netasync.Totals{}
	for name, sum := range e.Totals() {
		sums[name] = sum
	}
	require.Len(t, sums, 3)
	agents, collector, dialed := sums["agents"], sums["collector"], sums["dialed"]
	require.EqualValues(t, 6, agents.Sent)
	require.EqualValues(t, 6, agents.Received)
	require.EqualValues(t, 18, agents.ReceivedBytes)
	require.EqualValues(t, 3, agents.Connections)
	require.EqualValues(t, 3, agents.Attempts)
	require.EqualValues(t, 3, agents.Disconnects[netasync.ReasonShutdown])
	require.EqualValues(t, 3, agents.DialedConnections)
	require.Zero(t, agents.Sessions)
	require.Zero(t, agents.Dialed)
	require.EqualValues(t, 7, collector.Received)
	require.EqualValues(t, 3, collector.Disconnects[netasync.ReasonEOF])
	require.Equal(t, 1, collector.Connected)
	require.Zero(t, collector.DialedConnected)
	require.EqualValues(t, 4, collector.Connections)
	require.Zero(t, collector.DialedConnections)
	require.Equal(t, 1, dialed.Sessions)
	require.Equal(t, 1, dialed.Dialed)
	require.Equal(t, 1, dialed.DialedConnected)
	require.EqualValues(t, 13, e.Stats().Totals.Received-dialed.Received)
}

// Attempts that fail are counted, and LastError says why.
func TestTotalsOfAttempts(t *testing.T) {
	e := newEngine(t)
	c := connect(t, e, testkit.DeadAddr(t), netasync.ConnectOptions{Backoff: quick, MaxAttempts: 3})
	expect(t, c, netasync.Disconnected)
	expectClosed(t, c)
	testkit.Eventually(t, func() bool { return e.Stats().Sessions == 0 }, "it is gone")
	sum := e.Stats().Totals
	require.EqualValues(t, 3, sum.Attempts)
	require.EqualValues(t, 3, sum.FailedAttempts)
	require.Zero(t, sum.Connections)
}

// The event loops that run are those of an engine, from its first connection to its Shutdown.
func TestLoopsThatRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no event loops here")
	}
	for set, want := range map[int]int{0: runtime.GOMAXPROCS(0), 3: 3, 1000: 256} {
		e, err := netasync.NewEngine(netasync.EngineOptions{Loops: set})
		require.NoError(t, err)
		require.Zero(t, e.Stats().Loops)
		ln := listen(t, e, netasync.ListenOptions{})
		expect(t, connect(t, e, ln.Addr(), netasync.ConnectOptions{}), netasync.Connected)
		require.Equal(t, want, e.Stats().Loops)
		endEngine(t, e)
		require.Zero(t, e.Stats().Loops)
	}
	h, err := netasync.NewHandler(netasync.ListenOptions{})
	require.NoError(t, err)
	require.Zero(t, h.Stats().Loops, "they are the user's")
	require.NoError(t, h.Shutdown(testkit.Context(t)))
}

// A session's figures say since when it is, when it was last heard, and how much waits.
func TestInstantsAndBytesOfASession(t *testing.T) {
	before := time.Now()
	dialed, accepted := pair(t, netasync.ListenOptions{}, netasync.ConnectOptions{})
	send(t, dialed, "hello")
	testkit.Eventually(t, func() bool { return accepted.Stats().Unread == 1 }, "it has come")
	st := accepted.Stats()
	require.Equal(t, len("hello"), st.UnreadBytes)
	require.WithinRange(t, st.LastReceived, before, time.Now())
	require.WithinRange(t, dialed.Stats().LastSent, before, time.Now())
	require.WithinRange(t, dialed.Stats().Opened, before, dialed.Stats().LastSent)
	rtt, known := dialed.RTT()
	require.Equal(t, runtime.GOOS == "linux", known)
	require.Less(t, rtt, testkit.Patience)
	require.NoError(t, dialed.Close())
	expectClosed(t, dialed)
	require.Zero(t, dialed.Stats().LastSent)
	_, known = dialed.RTT()
	require.False(t, known)

	waiting := connect(t, newEngine(t), testkit.DeadAddr(t), netasync.ConnectOptions{Backoff: netasync.FixedDelay(time.Hour), Linger: brief})
	send(t, waiting, "kept", "too")
	require.Equal(t, len("kept")+len("too"), waiting.Stats().QueuedBytes)
}
