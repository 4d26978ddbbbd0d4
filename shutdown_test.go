package netasync_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// ending is a session's events, as somebody reads them to the end.
func ending(s *netasync.Session) <-chan []netasync.Event {
	result := make(chan []netasync.Event, 1)
	go func() {
		var events []netasync.Event
		for ev := range s.ReadChan() {
			events = append(events, ev)
		}
		result <- events
	}()
	return result
}

// descriptors returns how many descriptors the process has open, where the system tells.
func descriptors() int {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(open)
}

// After Shutdown every ReadChan has ended with Closed, and no goroutine, descriptor or port of the engine is left.
func TestShutdownLeavesNothing(t *testing.T) {
	deadAddr(t) // wakes up Go's own poller, which stays
	ours, running, open := more(), runtime.NumGoroutine(), descriptors()
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
			reads = append(reads, ending(take(t, plain.AcceptChan())))
			reads = append(reads, ending(connect(t, e, secure.Addr(), netasync.ConnectOptions{TLS: certificates().client(true)})))
			reads = append(reads, ending(take(t, secure.AcceptChan())))
			reads = append(reads, ending(connect(t, e, called.Addr(), netasync.ConnectOptions{})))
			reads = append(reads, ending(connect(t, e, deadAddr(t), netasync.ConnectOptions{})))
			reads = append(reads, ending(connect(t, e, plain.Addr(), netasync.ConnectOptions{}))) // waits in AcceptChan
		}
		require.NoError(t, e.Shutdown(background(t)))
		for _, read := range reads {
			events := take(t, read)
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
		rawListenAt(t, addr).Close()
	}
	require.Empty(t, settle(ours))
	require.Empty(t, settle(func() []string {
		if runtime.NumGoroutine() <= running && descriptors() <= open {
			return nil
		}
		return append(goroutines([]string{""}), fmt.Sprintf("%d descriptors, had %d", descriptors(), open))
	}))
}

// Shutdown flushes what is queued, in both directions.
func TestShutdownFlushes(t *testing.T) {
	ln := rawListen(t)
	e := newEngine(t)
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	conn := rawAccept(t, ln)
	expect(t, c, netasync.Connected)
	texts := numbered(100)
	for _, text := range texts {
		put(t, c.WriteChan(), []byte(text))
	}
	require.NoError(t, e.Shutdown(background(t)))
	expectFrames(t, conn, texts...)
	expectEOF(t, conn)
	require.NoError(t, expectClosed(t, c).Err)
}

// The error of Shutdown tells how many messages were not sent.
func TestShutdownCountsUnsent(t *testing.T) {
	e := newEngine(t)
	for range 2 {
		c := connect(t, e, deadAddr(t), netasync.ConnectOptions{})
		send(t, c, "1", "2", "3")
	}
	err := e.Shutdown(background(t))
	var unsent *netasync.UnsentError
	require.ErrorAs(t, err, &unsent)
	require.Equal(t, 6, unsent.Messages)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
}

// A context that ends cuts Shutdown short, though peers do not read; what they did not get is counted.
func TestShutdownWithinContext(t *testing.T) {
	for name, tls := range map[string]bool{"tcp": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			peers, e := newEngine(t), newEngine(t)
			var lo netasync.ListenOptions
			co := netasync.ConnectOptions{WriteBuffer: netasync.Buffer{Bytes: 1 << 30}, Linger: time.Hour}
			if tls {
				lo.TLS, co.TLS = certificates().server(false), certificates().client(false)
			}
			lo.Linger = time.Millisecond
			ln := listen(t, peers, lo)
			c := connect(t, e, ln.Addr(), co)
			take(t, ln.AcceptChan())
			for range 100 {
				send(t, c, strings.Repeat("x", 1<<20))
			}
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			err := e.Shutdown(ctx)
			require.Equal(t, netasync.StateClosed, c.State(), "Shutdown returned before its sessions had closed")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			var unsent *netasync.UnsentError
			require.ErrorAs(t, err, &unsent)
			_, closed := untilClosed(t, c)
			require.ErrorIs(t, closed.Err, netasync.ErrShutdown)
			require.Equal(t, unsent.Messages, closed.Queued)
		})
	}
}

// With a context that has ended already, Shutdown still leaves nothing behind.
func TestShutdownWithEndedContext(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	expect(t, c, netasync.Connected)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Shutdown(ctx); err != nil { // there may have been nothing to wait for
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Equal(t, netasync.StateClosed, c.State())
	untilClosed(t, c)
	rawListenAt(t, ln.Addr().String())
	require.Zero(t, e.Stats().Sessions)
}

// After Shutdown an engine refuses everything, and says so.
func TestAfterShutdown(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	expect(t, c, netasync.Connected)
	require.NoError(t, e.Shutdown(background(t)))

	_, err := e.Connect(ln.Addr().String(), netasync.ConnectOptions{})
	require.ErrorIs(t, err, netasync.ErrShutdown)
	_, err = e.Listen("127.0.0.1:0", netasync.ListenOptions{})
	require.ErrorIs(t, err, netasync.ErrShutdown)
	require.ErrorIs(t, e.Shutdown(background(t)), netasync.ErrShutdown)
	require.ErrorIs(t, c.Send(background(t), []byte("late")), netasync.ErrClosed)
	require.ErrorIs(t, c.TrySend([]byte("late")), netasync.ErrClosed)
	put(t, c.WriteChan(), []byte("late"))
	c.RetryNow()
	require.NoError(t, c.Close())
	require.NoError(t, ln.Close())
	for range e.Sessions() {
		require.Fail(t, "a session is left")
	}
}

// Shutdown in the middle of everything: connects, accepts, sends, breaks. Run it with the race detector.
func TestShutdownInTheMiddle(t *testing.T) {
	for range 20 {
		e, peers := newEngine(t), newEngine(t)
		ln := listen(t, e, netasync.ListenOptions{MaxSessions: 1000})
		go echo(ln.AcceptChan())
		other := listen(t, peers, netasync.ListenOptions{})
		go echo(other.AcceptChan())
		var reads []<-chan []netasync.Event
		for range 10 {
			_, _ = peers.Connect(ln.Addr().String(), netasync.ConnectOptions{Backoff: quick})
			for _, addr := range []string{ln.Addr().String(), other.Addr().String()} {
				c, err := e.Connect(addr, netasync.ConnectOptions{})
				require.NoError(t, err)
				reads = append(reads, ending(c))
				go func() {
					for c.Send(context.Background(), []byte("again and again")) == nil {
						runtime.Gosched()
					}
				}()
			}
		}
		err := e.Shutdown(background(t))
		var unsent *netasync.UnsentError
		if err != nil && !errors.As(err, &unsent) {
			require.NoError(t, err)
		}
		for _, read := range reads {
			events := take(t, read)
			require.Equal(t, netasync.Closed, events[len(events)-1].Kind)
		}
		require.Zero(t, e.Stats().Sessions)
		endEngine(t, peers)
	}
}
