package e2e_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// ending is a session's events, read to the end.
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

// Shutdown flushes what is queued, in both directions.
func TestShutdownFlushes(t *testing.T) {
	ln := testkit.Listen(t)
	e := newEngine(t)
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	conn := testkit.Accept(t, ln)
	expect(t, c, netasync.Connected)
	texts := testkit.Texts(100)
	for _, text := range texts {
		testkit.Put(t, c.WriteChan(), []byte(text))
	}
	require.NoError(t, e.Shutdown(testkit.Context(t)))
	expectFrames(t, conn, texts...)
	expectEOF(t, conn)
	require.NoError(t, expectClosed(t, c).Err)
}

// The error of Shutdown tells how many messages were not sent.
func TestShutdownCountsUnsent(t *testing.T) {
	e := newEngine(t)
	for range 2 {
		c := connect(t, e, testkit.DeadAddr(t), netasync.ConnectOptions{Linger: brief})
		send(t, c, "1", "2", "3")
	}
	err := e.Shutdown(testkit.Context(t))
	var unsent *netasync.UnsentError
	require.ErrorAs(t, err, &unsent)
	require.Equal(t, 6, unsent.Messages)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
}

// What went into WriteChan was sent, or Shutdown says that it was not.
func TestShutdownCountsWhatWriteChanHeld(t *testing.T) {
	for range 20 {
		e := newEngine(t)
		ln := testkit.Listen(t)
		c := connect(t, e, ln.Addr(), netasync.ConnectOptions{WriteBuffer: netasync.Fixed(100)})
		testkit.Accept(t, ln)
		expect(t, c, netasync.Connected)
		for range 100 {
			c.WriteChan() <- []byte("hello")
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		err := e.Shutdown(ctx)
		unsent := &netasync.UnsentError{}
		errors.As(err, &unsent)
		require.EqualValues(t, 100, int(c.Stats().Sent)+unsent.Messages, "%+v", c.Stats())
	}
}

// A context that ends cuts Shutdown short, though peers do not read; what they did not get is
// counted.
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
			testkit.Take(t, ln.AcceptChan())
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
	testkit.ListenAt(t, ln.Addr().String())
	require.Zero(t, e.Stats().Sessions)
}

// Shutdown in the middle of everything: connects, accepts, sends, breaks. Run it with the race
// detector.
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
				c, err := e.Connect(addr, netasync.ConnectOptions{Linger: brief})
				require.NoError(t, err)
				reads = append(reads, ending(c))
				go func() {
					for c.Send(context.Background(), []byte("again and again")) == nil {
						runtime.Gosched()
					}
				}()
			}
		}
		err := e.Shutdown(testkit.Context(t))
		var unsent *netasync.UnsentError
		if err != nil && !errors.As(err, &unsent) {
			require.NoError(t, err)
		}
		for _, read := range reads {
			events := testkit.Take(t, read)
			require.Equal(t, netasync.Closed, events[len(events)-1].Kind)
		}
		require.Zero(t, e.Stats().Sessions)
		endEngine(t, peers)
	}
}

func TestShutdownBesideASlowResolver(t *testing.T) {
	usual := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = usual })
	release, asked := make(chan struct{}), make(chan struct{}, 100)
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		asked <- struct{}{}
		<-release
		return nil, errors.New("no DNS")
	}}
	e, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	listened := make(chan error, 1)
	go func() {
		_, err := e.Listen("slow.example.com:0", netasync.ListenOptions{})
		listened <- err
	}()
	testkit.Take(t, asked)
	require.True(t, testkit.Within(testkit.Patience, func() { _ = e.Shutdown(testkit.Context(t)) }))
	close(release)
	require.ErrorIs(t, testkit.Take(t, listened), netasync.ErrShutdown)
}

// A shutdown whose context has ended waits once for what is stuck, and says so once.
func TestShutdownWithAStuckCallback(t *testing.T) {
	for _, inline := range []bool{false, true} {
		e, err := netasync.NewEngine(netasync.EngineOptions{})
		require.NoError(t, err)
		stuck, release := make(chan struct{}, 1), make(chan struct{})
		ln := listen(t, e, netasync.ListenOptions{Inline: inline, OnEvent: func(_ *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Connected {
				stuck <- struct{}{}
				<-release
			}
		}})
		testkit.Write(t, testkit.Dial(t, ln.Addr()), testkit.Frames("x"))
		testkit.Take(t, stuck)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		require.True(t, testkit.Within(1900*time.Millisecond, func() { err = e.Shutdown(ctx) }), "inline %v", inline)
		require.ErrorContains(t, err, "has not returned")
		require.ErrorIs(t, err, context.Canceled)
		close(release)
	}
}

// After Shutdown an engine refuses everything, and says so.
func TestAfterShutdown(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	expect(t, c, netasync.Connected)
	require.NoError(t, e.Shutdown(testkit.Context(t)))

	_, err := e.Connect(ln.Addr().String(), netasync.ConnectOptions{})
	require.ErrorIs(t, err, netasync.ErrShutdown)
	_, err = e.Listen("127.0.0.1:0", netasync.ListenOptions{})
	require.ErrorIs(t, err, netasync.ErrShutdown)
	require.ErrorIs(t, e.Shutdown(testkit.Context(t)), netasync.ErrShutdown)
	require.ErrorIs(t, c.Send(testkit.Context(t), []byte("late")), netasync.ErrClosed)
	require.ErrorIs(t, c.TrySend([]byte("late")), netasync.ErrClosed)
	testkit.Put(t, c.WriteChan(), []byte("late"))
	c.RetryNow()
	require.NoError(t, c.Close())
	require.NoError(t, ln.Close())
	for range e.Sessions() {
		require.Fail(t, "a session is left")
	}
}
