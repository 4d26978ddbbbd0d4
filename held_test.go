package netasync_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// These tests are about what one slow party may hold up: nobody else, and not for longer than was said.

// in reports whether f returns in the given time, by far the shortest that anything takes which it could be waiting for.
func in(d time.Duration, f func()) bool {
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
		return true
	case <-time.After(d):
		return false
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
	take(t, asked)
	require.True(t, in(patience, func() { _ = e.Shutdown(background(t)) }))
	close(release)
	require.ErrorIs(t, take(t, listened), netasync.ErrShutdown)
}

// Peers that connect and say nothing keep nobody out.
func TestHandshakeBesideSilentPeers(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{TLS: certificates().server(false)})
	for range 300 {
		rawDial(t, ln.Addr())
	}
	require.True(t, in(4*time.Second, func() { // they are given 5 s each
		conn, err := tls.Dial("tcp", ln.Addr().String(), certificates().client(false))
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}))
}

// A full socket holds the alert back with which TLS says goodbye; Linger bounds that, too.
func TestLingerBoundsTheGoodbyeOfTLS(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path) // its buffer holds as many messages each time
	require.NoError(t, err)
	defer ln.Close()
	begin := func() *netasync.Session {
		config := certificates().client(false)
		config.ServerName = "localhost"
		s, err := newEngine(t).Connect("unix:"+path, netasync.ConnectOptions{TLS: config, Linger: 50 * time.Millisecond})
		require.NoError(t, err)
		raw, err := ln.Accept()
		require.NoError(t, err)
		t.Cleanup(func() { _ = raw.Close() })
		require.NoError(t, tls.Server(raw, certificates().server(false)).Handshake()) // and reads nothing from then on
		expect(t, s, netasync.Connected)
		return s
	}
	fill := func(s *netasync.Session, most int) int {
		for n := range most {
			send(t, s, string(make([]byte, 1000)))
			for start := time.Now(); s.Stats().Queued > 0; time.Sleep(time.Millisecond) {
				if time.Since(start) > 200*time.Millisecond {
					return n
				}
			}
		}
		return most
	}
	fits := fill(begin(), 1<<20)
	s := begin()
	require.Equal(t, fits, fill(s, fits))
	require.NoError(t, s.Close())
	require.True(t, in(4*time.Second, func() { <-s.Done() })) // TLS would wait for 5 s
}

// Nothing of the library refers to a closed session, however long its heartbeat period is.
func TestClosedSessionsAreCollected(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{HeartbeatPeriod: time.Hour})
	var collected atomic.Int64
	const n = 50
	func() {
		for range n {
			c := rawDial(t, ln.Addr())
			s := take(t, ln.AcceptChan())
			data := new([1 << 10]byte)
			runtime.AddCleanup(data, func(int) { collected.Add(1) }, 0)
			s.SetValue(data)
			require.NoError(t, c.Close())
			ended(t, s.Done())
		}
	}()
	eventually(t, func() bool {
		runtime.GC()
		return collected.Load() >= n-1 // the last may still lie on our stack
	}, "closed sessions are collected")
}

// What went into WriteChan was sent, or Shutdown says that it was not.
func TestShutdownCountsWhatWriteChanHeld(t *testing.T) {
	for range 20 {
		e := newEngine(t)
		ln := rawListen(t)
		c := connect(t, e, ln.Addr(), netasync.ConnectOptions{WriteBuffer: netasync.Fixed(100)})
		rawAccept(t, ln)
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

// A server that speaks something else: after the last attempt, Closed says so.
func TestClosedSaysWhyTheLastConnectionEnded(t *testing.T) {
	ln := rawListen(t)
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
		write(t, rawDial(t, ln.Addr()), frames("x"))
		take(t, stuck)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		require.True(t, in(1900*time.Millisecond, func() { err = e.Shutdown(ctx) }), "inline %v", inline)
		require.ErrorContains(t, err, "has not returned")
		require.ErrorIs(t, err, context.Canceled)
		close(release)
	}
}
