package e2e_test

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Nothing is left: no goroutine, descriptor, port or memory.

// descriptors returns how many descriptors the process has open, where the system tells.
func descriptors() int {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(open)
}

// After Shutdown every ReadChan has ended with Closed, and no goroutine, descriptor or port of the
// engine is left.
func TestShutdownLeavesNothing(t *testing.T) {
	testkit.DeadAddr(t) // wakes up Go's own poller, which stays
	ours, running, open := testkit.StartedSince(), runtime.NumGoroutine(), descriptors()
	var addrs []string
	func() {
		e := newEngine(t)
		var reads []<-chan []netasync.Event
		plain := listen(t, e, netasync.ListenOptions{})
		secure := listen(t, e, netasync.ListenOptions{TLS: certificates().server(true)})
		called := listen(t, e, netasync.ListenOptions{OnEvent: func(*netasync.Session, netasync.Event) {}})
		addrs = append(addrs, plain.Addr().String(), secure.Addr().String(), called.Addr().String())
		for range 20 {
			reads = append(reads, ending(connect(t, e, plain.Addr(), netasync.ConnectOptions{})))
			reads = append(reads, ending(testkit.Take(t, plain.AcceptChan())))
			reads = append(reads, ending(connect(t, e, secure.Addr(), netasync.ConnectOptions{TLS: certificates().client(true)})))
			reads = append(reads, ending(testkit.Take(t, secure.AcceptChan())))
			reads = append(reads, ending(connect(t, e, called.Addr(), netasync.ConnectOptions{})))
			reads = append(reads, ending(connect(t, e, testkit.DeadAddr(t), netasync.ConnectOptions{})))
			reads = append(reads, ending(connect(t, e, plain.Addr(), netasync.ConnectOptions{}))) // waits in AcceptChan
		}
		require.NoError(t, e.Shutdown(testkit.Context(t)))
		for _, read := range reads {
			events := testkit.Take(t, read)
			require.Equal(t, netasync.Closed, events[len(events)-1].Kind)
		}
		for _, ln := range []*netasync.Listener{plain, secure, called} {
			for s := range ln.AcceptChan() { // ends
				untilClosed(t, s)
			}
		}
		require.Zero(t, e.Stats().Sessions)
	}()
	for _, addr := range addrs {
		testkit.ListenAt(t, addr).Close()
	}
	testkit.NothingLeft(t, ours)
	testkit.NothingLeft(t, func() []string {
		if runtime.NumGoroutine() <= running && descriptors() <= open {
			return nil
		}
		return append(testkit.Stacks(), fmt.Sprintf("%d descriptors, had %d", descriptors(), open))
	})
}

// The port of an engine is free for the next one when Shutdown returns, though a session was open.
func TestPortAfterShutdown(t *testing.T) {
	addr := "127.0.0.1:0"
	for range 5 {
		e := newEngine(t)
		ln := listenAt(t, e, addr, netasync.ListenOptions{})
		addr = ln.Addr().String()
		c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
		expect(t, c, netasync.Connected)
		require.NoError(t, e.Shutdown(testkit.Context(t)))
		untilClosed(t, c) // its peer, of the same engine, may have been the first to close
	}
}

// A session whose user drops it, events unread, leaves nothing running once it has closed.
func TestAbandonedSession(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{HeartbeatPeriod: 10 * time.Millisecond, HeartbeatTimeout: testkit.Patience})
	func() { // afterwards the listener and an event loop have their goroutines
		conn := testkit.Dial(t, ln.Addr())
		s := testkit.Take(t, ln.AcceptChan())
		require.NoError(t, conn.Close())
		untilClosed(t, s)
	}()
	ours := testkit.StartedSince()
	func() {
		conn := testkit.Dial(t, ln.Addr())
		s := testkit.Take(t, ln.AcceptChan())
		events := s.ReadChan()
		testkit.Put(t, s.WriteChan(), []byte("hello"))
		expectFrames(t, conn, "hello")
		testkit.Write(t, conn, testkit.Frames(testkit.Texts(100)...)) // more than the channel holds
		require.NoError(t, conn.Close())
		testkit.Ended(t, s.Done())
		require.Equal(t, netasync.Connected, testkit.Take(t, events).Kind)
	}()
	testkit.NothingLeft(t, ours)
}

// Nothing of the library refers to a closed session, however long its heartbeat period is.
func TestClosedSessionsAreCollected(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{HeartbeatPeriod: time.Hour})
	var collected atomic.Int64
	const n = 50
	func() {
		for range n {
			c := testkit.Dial(t, ln.Addr())
			s := testkit.Take(t, ln.AcceptChan())
			data := new([1 << 10]byte)
			runtime.AddCleanup(data, func(int) { collected.Add(1) }, 0)
			s.SetValue(data)
			require.NoError(t, c.Close())
			testkit.Ended(t, s.Done())
		}
	}()
	testkit.Eventually(t, func() bool {
		runtime.GC()
		return collected.Load() >= n-1 // the last may still lie on our stack
	}, "closed sessions are collected")
}

// Sends to WriteChan never hang, though the session has closed, and what drains them goes away with
// the session.
func TestWriteChanAfterClosed(t *testing.T) {
	const n = 1000
	ours := testkit.StartedSince()
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{HeartbeatPeriod: 10 * time.Millisecond})
	func() {
		conn := testkit.Dial(t, ln.Addr())
		s := testkit.Take(t, ln.AcceptChan())
		early := s.WriteChan()
		require.NoError(t, conn.Close())
		untilClosed(t, s)
		for range n {
			testkit.Put(t, early, []byte("late"))
			testkit.Put(t, s.WriteChan(), []byte("late"))
		}
		require.Equal(t, early, s.WriteChan())
		testkit.Eventually(t, func() bool { return s.Stats().Discarded == 2*n }, "all are counted")
		require.ErrorIs(t, s.Send(testkit.Context(t), []byte("late")), netasync.ErrClosed)
		require.ErrorIs(t, s.TrySend([]byte("late")), netasync.ErrClosed)

		other := connect(t, e, testkit.DeadAddr(t), netasync.ConnectOptions{})
		require.NoError(t, other.Close())
		untilClosed(t, other)
		testkit.Put(t, other.WriteChan(), []byte("late")) // asked for only now
		close(other.WriteChan())
	}()
	require.NoError(t, e.Shutdown(testkit.Context(t)))
	testkit.NothingLeft(t, ours)
}
