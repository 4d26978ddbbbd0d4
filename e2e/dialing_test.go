package e2e_test

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Which addresses a session dials, how often, and when it gives up.

// Addrs are tried in turn: the first one dead is no outage.
func TestSeveralAddresses(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), testkit.DeadAddr(t), netasync.ConnectOptions{
		Addrs: []string{"unix:/nonexistent", ln.Addr().String()}, Backoff: quick,
	})
	conn := testkit.Accept(t, ln)
	expect(t, c, netasync.Connected)
	require.Equal(t, ln.Addr().String(), c.RemoteAddr().String())
	require.NoError(t, conn.Close())
	expect(t, c, netasync.Disconnected)
	testkit.Accept(t, ln)
	require.EqualValues(t, 2, expect(t, c, netasync.Connected).Epoch)
}

// When one server dies, the session goes to the other.
func TestFailover(t *testing.T) {
	a, b := testkit.Listen(t), testkit.Listen(t)
	c := connect(t, newEngine(t), a.Addr(), netasync.ConnectOptions{Addrs: []string{b.Addr().String()}, Backoff: quick})
	first := testkit.Accept(t, a)
	expect(t, c, netasync.Connected)
	require.NoError(t, a.Close())
	require.NoError(t, first.Close())
	expect(t, c, netasync.Disconnected)
	testkit.Accept(t, b)
	expect(t, c, netasync.Connected)
}

// Resolve is asked before every attempt, and its errors are outages like any other.
func TestResolve(t *testing.T) {
	ln := testkit.Listen(t)
	unknown := errors.New("who knows")
	answers := make(chan []string, 1)
	asked := make(chan struct{})
	c, err := newEngine(t).Connect("", netasync.ConnectOptions{
		Backoff: quick,
		Resolve: func(ctx context.Context) ([]string, error) {
			select {
			case asked <- struct{}{}:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			if answer := <-answers; len(answer) > 0 {
				return answer, nil
			}
			return nil, unknown
		},
	})
	require.NoError(t, err)
	ask := func(answer ...string) {
		t.Helper()
		testkit.Take(t, asked)
		answers <- answer
	}
	ask()
	ev := expect(t, c, netasync.Disconnected)
	require.ErrorIs(t, ev.Err, unknown)
	ask()
	ask("not an address")
	ask(testkit.DeadAddr(t).String())
	ask(testkit.DeadAddr(t).String(), ln.Addr().String())
	require.EqualValues(t, 1, expect(t, c, netasync.Connected).Epoch)
	require.EqualValues(t, 5, c.Stats().Attempts)
	require.NoError(t, testkit.Accept(t, ln).Close())
	expect(t, c, netasync.Disconnected)
	ask(ln.Addr().String())
	testkit.Accept(t, ln)
	expect(t, c, netasync.Connected)
}

// A name that cannot be resolved is an outage like any other.
func TestUnresolvableName(t *testing.T) {
	c, err := newEngine(t).Connect("nonexistent.invalid:1", netasync.ConnectOptions{Backoff: quick})
	require.NoError(t, err)
	ev := expect(t, c, netasync.Disconnected)
	var lookup *net.DNSError
	require.ErrorAs(t, ev.Err, &lookup)
	require.Equal(t, "nonexistent.invalid", lookup.Name)
	testkit.Eventually(t, func() bool { return c.Stats().Attempts >= 3 }, "further attempts")
	require.Zero(t, c.Stats().Unread, "one Disconnected for one outage")
}

// A path that is no socket, or none at all, is an outage like any other.
func TestNoSuchSocket(t *testing.T) {
	c, err := newEngine(t).Connect("unix:"+t.TempDir()+"/none", netasync.ConnectOptions{Backoff: quick, MaxAttempts: 2})
	require.NoError(t, err)
	require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, syscall.ENOENT)
	require.ErrorIs(t, expectClosed(t, c).Err, syscall.ENOENT)
}

// RetryNow cuts a long back-off short.
func TestRetryNow(t *testing.T) {
	addr := testkit.DeadAddr(t)
	c := connect(t, newEngine(t), addr, netasync.ConnectOptions{Backoff: netasync.FixedDelay(time.Hour)})
	expect(t, c, netasync.Disconnected)
	c.RetryNow()
	testkit.Eventually(t, func() bool { return c.Stats().Attempts == 2 && c.State() == netasync.StateDisconnected }, "one more attempt")
	ln := testkit.ListenAt(t, addr.String())
	c.RetryNow()
	conn := testkit.Accept(t, ln)
	expect(t, c, netasync.Connected)
	c.RetryNow() // nothing to retry, and nothing kept for the next outage
	require.NoError(t, conn.Close())
	expect(t, c, netasync.Disconnected)
	require.EqualValues(t, 3, c.Stats().Attempts)
	c.RetryNow()
	testkit.Accept(t, ln)
	expect(t, c, netasync.Connected)
}

// After MaxAttempts failures in a row a session gives up, and says why.
func TestMaxAttempts(t *testing.T) {
	c := connect(t, newEngine(t), testkit.DeadAddr(t), netasync.ConnectOptions{MaxAttempts: 3, Backoff: quick})
	send(t, c, "never sent")
	require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, syscall.ECONNREFUSED)
	ev := expectClosed(t, c)
	require.ErrorIs(t, ev.Err, syscall.ECONNREFUSED)
	require.Equal(t, 1, ev.Queued)
	require.EqualValues(t, 3, c.Stats().Attempts)
}

// The count of failures begins anew with every connection that proved itself.
func TestMaxAttemptsInARow(t *testing.T) {
	ln := testkit.Listen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{MaxAttempts: 2, Backoff: quick})
	for range 5 {
		conn := testkit.Accept(t, ln)
		expect(t, c, netasync.Connected)
		testkit.Write(t, conn, testkit.Frames("proof"))
		expectMessages(t, c, "proof")
		require.NoError(t, conn.Close())
		expect(t, c, netasync.Disconnected)
	}
	require.NoError(t, testkit.Accept(t, ln).Close())
	expect(t, c, netasync.Connected)
}

// A server that speaks something else: after the last attempt, Closed says so.
func TestClosedSaysWhyTheLastConnectionEnded(t *testing.T) {
	ln := testkit.Listen(t)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte{0x7f, 0xff, 0xff, 0xff})
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{MaxAttempts: 2, Backoff: quick})
	_, closed := untilClosed(t, c)
	require.ErrorIs(t, closed.Err, netasync.ErrFrameTooLarge)
}

// silent is how long a server may say nothing in these tests.
const silent = 60 * time.Millisecond

// A server that accepts connections and never says a byte is not a good one: the next address is tried.
func TestSilentServerIsPassedOver(t *testing.T) {
	a, b := testkit.Listen(t), testkit.Listen(t)
	c := connect(t, newEngine(t), a.Addr(), netasync.ConnectOptions{
		Addrs: []string{b.Addr().String()}, Backoff: quick, HeartbeatPeriod: silent / 3, HeartbeatTimeout: silent,
	})
	testkit.Accept(t, a)
	expect(t, c, netasync.Connected)
	require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, netasync.ErrHeartbeatTimeout)
	conn := testkit.Accept(t, b)
	expect(t, c, netasync.Connected)
	testkit.Write(t, conn, testkit.Frames("good"))
	expectMessages(t, c, "good")
	require.NoError(t, conn.Close())
	expect(t, c, netasync.Disconnected)
	testkit.Accept(t, b) // it proved itself, and is tried first
}

// Connections to a server that never says a byte are failed attempts.
func TestMaxAttemptsOfASilentServer(t *testing.T) {
	c := connect(t, newEngine(t), testkit.Listen(t).Addr(), netasync.ConnectOptions{
		MaxAttempts: 3, Backoff: quick, HeartbeatPeriod: silent / 3, HeartbeatTimeout: silent,
	})
	before, closed := untilClosed(t, c)
	require.Len(t, before, 6, "three times connected, and disconnected")
	require.ErrorIs(t, closed.Err, netasync.ErrHeartbeatTimeout)
	require.EqualValues(t, 3, c.Stats().Attempts)
}
