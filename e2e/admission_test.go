package e2e_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// What bounds admission, for Listener and Handler alike.

// entrance is where connections become sessions.
type entrance struct {
	addr   net.Addr
	accept <-chan *netasync.Session
	stats  func() netasync.Stats

	refuses bool // what is over MaxPending does not wait
}

// eachEntrance tests a Listener and a Handler.
func eachEntrance(t *testing.T, o netasync.ListenOptions, test func(t *testing.T, en entrance)) {
	t.Run("listener", func(t *testing.T) {
		e := newEngine(t)
		ln := listen(t, e, o)
		test(t, entrance{ln.Addr(), ln.AcceptChan(), e.Stats, false})
	})
	t.Run("handler", func(t *testing.T) {
		h, addr := embedBare(t, o)
		test(t, entrance{addr, h.AcceptChan(), h.Stats, true})
	})
}

// silent connects n sockets that say nothing.
func (en entrance) silent(t *testing.T, n int) (conns []net.Conn) {
	t.Helper()
	for range n {
		conns = append(conns, testkit.Dial(t, en.addr))
	}
	return conns
}

// honest connects a session, and waits until it is one at the other end, too.
func (en entrance) honest(t *testing.T, e *netasync.Engine) {
	t.Helper()
	connect(t, e, en.addr, netasync.ConnectOptions{TLS: certificates().client(false), Backoff: quick})
	testkit.Take(t, en.accept)
}

// isCut expects the end of a connection.
func isCut(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, conn)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it is still open")
}

// Sockets that are no sessions yet take no place of a session.
func TestSilentSocketsShutNobodyOut(t *testing.T) {
	const places = 10
	eachEntrance(t, netasync.ListenOptions{MaxSessions: places, TLS: certificates().server(false)}, func(t *testing.T, en entrance) {
		en.silent(t, places)
		e := newEngine(t)
		for range places {
			en.honest(t, e)
		}
		require.Zero(t, en.stats().Refused)
		require.Equal(t, places, en.stats().Sessions)
		isCut(t, testkit.Dial(t, en.addr)) // now MaxSessions is reached
	})
}

// Of those that handshake at once only one may become the last session.
func TestMaxSessionsAfterAHandshake(t *testing.T) {
	var asked atomic.Int32
	o := netasync.ListenOptions{MaxSessions: 1, Authorize: func(net.Conn) error {
		asked.Add(1)
		for asked.Load() < 2 {
			runtime.Gosched()
		}
		return nil
	}}
	eachEntrance(t, o, func(t *testing.T, en entrance) {
		asked.Store(0)
		en.silent(t, 2)
		testkit.Take(t, en.accept)
		testkit.Eventually(t, func() bool { return en.stats().Refused == 1 }, "the other is refused")
		require.EqualValues(t, 1, en.stats().Accepted)
	})
}

// Many silent sockets, more than may be pending, are cut off, and then honest ones get in.
func TestHandshakeTimeoutOfSilentSockets(t *testing.T) {
	const silent = 200
	o := netasync.ListenOptions{TLS: certificates().server(false), MaxPending: 50, HandshakeTimeout: 200 * time.Millisecond}
	eachEntrance(t, o, func(t *testing.T, en entrance) {
		conns := en.silent(t, silent)
		en.honest(t, newEngine(t))
		for _, conn := range conns {
			isCut(t, conn)
		}
		testkit.Eventually(t, func() bool { return en.stats().Refused >= silent }, "they are counted")
		require.EqualValues(t, 1, en.stats().Accepted)
	})
}

// HandshakeTimeout cuts off a connection whose Authorize takes too long. The call keeps its place
// under MaxPending until it returns.
func TestHandshakeTimeoutOfAuthorize(t *testing.T) {
	type door struct{ asked, proceed chan struct{} }
	var now atomic.Pointer[door]
	o := netasync.ListenOptions{
		MaxPending: 1, HandshakeTimeout: 50 * time.Millisecond,
		Authorize: func(net.Conn) error { d := now.Load(); d.asked <- struct{}{}; <-d.proceed; return nil },
	}
	eachEntrance(t, o, func(t *testing.T, en entrance) {
		asked, proceed := make(chan struct{}, 100), make(chan struct{})
		now.Store(&door{asked, proceed})
		t.Cleanup(func() { close(proceed) }) // one more may have been asked
		conn := testkit.Dial(t, en.addr)
		testkit.Take(t, asked)
		isCut(t, conn)
		require.Zero(t, en.stats().Refused, "Authorize has not returned")
		second := testkit.Dial(t, en.addr)
		time.Sleep(100 * time.Millisecond) // nothing is to happen meanwhile
		require.Empty(t, asked, "one call at a time")
		testkit.Put(t, proceed, struct{}{})
		testkit.Eventually(t, func() bool { return en.stats().Refused >= 1 }, "the first is refused")
		if en.refuses {
			isCut(t, second)
			testkit.Eventually(t, func() bool { testkit.Dial(t, en.addr); return len(asked) > 0 }, "there is room again")
		}
		testkit.Take(t, asked)
		testkit.Put(t, proceed, struct{}{})
		testkit.Take(t, en.accept)
	})
}

// No more connections are authorized at once than may be pending.
func TestMaxPending(t *testing.T) {
	var now, most atomic.Int32
	o := netasync.ListenOptions{MaxPending: 3, Authorize: func(net.Conn) error {
		for n := now.Add(1); ; {
			if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		time.Sleep(10 * time.Millisecond)
		now.Add(-1)
		return nil
	}}
	eachEntrance(t, o, func(t *testing.T, en entrance) {
		most.Store(0)
		en.silent(t, 50)
		testkit.Eventually(t, func() bool { s := en.stats(); return s.Accepted+s.Refused == 50 }, "all are admitted or refused")
		require.Equal(t, netasync.Refusals{MaxPending: en.stats().Refused}, en.stats().RefusedBy)
		require.Equal(t, en.refuses, en.stats().Refused > 0)
		require.EqualValues(t, 3, most.Load())
	})
}

// One address has no more than its share, whatever it does, and others have theirs.
func TestMaxSessionsPerAddr(t *testing.T) {
	eachEntrance(t, netasync.ListenOptions{MaxSessionsPerAddr: 2}, func(t *testing.T, en entrance) {
		first := testkit.Dial(t, en.addr)
		testkit.Take(t, en.accept)
		en.silent(t, 1)
		testkit.Take(t, en.accept)
		isCut(t, testkit.Dial(t, en.addr))
		if runtime.GOOS == "linux" { // which has all of 127.0.0.0/8
			other, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("tcp", en.addr.String())
			require.NoError(t, err)
			defer other.Close()
			testkit.Take(t, en.accept)
		}
		require.NoError(t, first.Close())
		testkit.Eventually(t, func() bool {
			conn := testkit.Dial(t, en.addr)
			select {
			case <-en.accept:
				return true
			case <-time.After(50 * time.Millisecond):
				_ = conn.Close()
				return false
			}
		}, "its place is free")
	})
}

// Silent sockets count for their address, so that they cannot use up MaxPending.
func TestMaxSessionsPerAddrBoundsSilentSockets(t *testing.T) {
	o := netasync.ListenOptions{MaxSessionsPerAddr: 2, TLS: certificates().server(false), HandshakeTimeout: time.Second}
	eachEntrance(t, o, func(t *testing.T, en entrance) {
		conns := en.silent(t, 3)
		testkit.Eventually(t, func() bool { return en.stats().Refused >= 1 }, "the third is refused at once")
		for _, conn := range conns {
			isCut(t, conn)
		}
		testkit.Eventually(t, func() bool { return en.stats().Refused == 3 }, "the others in time")
		require.Equal(t, netasync.Refusals{MaxSessionsPerAddr: 1, HandshakeTimeout: 2}, en.stats().RefusedBy)
		en.honest(t, newEngine(t))
	})
}

// Peers of a unix socket have no address.
func TestMaxSessionsPerAddrUnix(t *testing.T) {
	e := newEngine(t)
	addr := "unix:" + filepath.Join(t.TempDir(), "s")
	ln := listenAt(t, e, addr, netasync.ListenOptions{MaxSessionsPerAddr: 1})
	for range 3 {
		expect(t, connect(t, e, ln.Addr(), netasync.ConnectOptions{}), netasync.Connected)
		testkit.Take(t, ln.AcceptChan())
	}
}
