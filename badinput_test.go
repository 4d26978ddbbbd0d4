package netasync_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// A length that is negative, huge, or one over the limit ends that connection, and no other.
func TestBadLengths(t *testing.T) {
	const limit = 1 << 20
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{MaxPayload: limit})
	good := rawDial(t, ln.Addr())
	neighbour := take(t, ln.AcceptChan())
	go echoSession(neighbour)
	for name, length := range map[string]uint32{
		"one over":      limit + 1,
		"a gigabyte":    1 << 30,
		"most positive": math.MaxInt32,
		"most negative": 1 << 31,
		"minus one":     math.MaxUint32,
	} {
		t.Run(name, func(t *testing.T) {
			bad := rawDial(t, ln.Addr())
			write(t, bad, frames("before"))
			write(t, bad, binary.BigEndian.AppendUint32(nil, length))
			s := take(t, ln.AcceptChan())
			expect(t, s, netasync.Connected)
			expectMessages(t, s, "before")
			require.ErrorIs(t, expectClosed(t, s).Err, netasync.ErrFrameTooLarge)
			_, err := bad.Read(make([]byte, 1))
			require.Error(t, err)

			write(t, good, frames("well?"))
			expectFrames(t, good, "well?")
		})
	}
}

// A server that sends a bad length is left, and tried again.
func TestBadLengthFromServer(t *testing.T) {
	ln := rawListen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Backoff: quick})
	write(t, rawAccept(t, ln), []byte{0x7f, 0xff, 0xff, 0xff})
	expect(t, c, netasync.Connected)
	require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, netasync.ErrFrameTooLarge)
	write(t, rawAccept(t, ln), frames("sorry"))
	require.EqualValues(t, 2, expect(t, c, netasync.Connected).Epoch)
	expectMessages(t, c, "sorry")
}

// A frame of exactly MaxPayload passes.
func TestFrameAtTheLimit(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{MaxPayload: 100})
	text := string(bytes.Repeat([]byte{'x'}, 100))
	write(t, rawDial(t, ln.Addr()), frames(text))
	s := take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, text)
}

// Peers that announce 16 MiB each and send nothing cost next to no memory.
func TestAnnouncedIsNotAllocated(t *testing.T) {
	const peers, perPeer = 64, 128 << 10
	ln := listen(t, newEngine(t), netasync.ListenOptions{})
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for range peers {
		conn := rawDial(t, ln.Addr())
		write(t, conn, frames("here")) // so that we know when the header behind it has been seen
		write(t, conn, []byte{1, 0, 0, 0, 'x'})
		s := take(t, ln.AcceptChan())
		expect(t, s, netasync.Connected)
		expectMessages(t, s, "here")
	}
	require.Less(t, heap()-before, int64(peers*perPeer))
}

// Random bytes end a session or wait for more, and harm nobody.
func TestGarbage(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{MaxPayload: 1 << 16})
	go echo(ln.AcceptChan())
	good := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	expect(t, good, netasync.Connected)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.NewChaCha8([32]byte(binary.LittleEndian.AppendUint64(make([]byte, 24), seed)))
	for range 100 {
		conn := rawDial(t, ln.Addr())
		garbage := make([]byte, 1+random.Uint64()%4096)
		_, _ = random.Read(garbage)
		_, _ = conn.Write(garbage) // may be refused half way
		_ = conn.Close()
	}
	send(t, good, "still here")
	expectMessages(t, good, "still here")
	eventually(t, func() bool { return e.Stats().Sessions == 2 }, "the others ended")
}

// A TLS client on a plain port: its hello is no length. Both sides are told.
func TestTLSClientOnPlainPort(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: &tls.Config{InsecureSkipVerify: true}, Backoff: quick, MaxAttempts: 1})
	s := take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	require.ErrorIs(t, expectClosed(t, s).Err, netasync.ErrFrameTooLarge)
	require.Error(t, expect(t, c, netasync.Disconnected).Err)
	require.Error(t, expectClosed(t, c).Err)
}

// A plain client on a TLS port is refused, and nobody is bothered with it.
func TestPlainClientOnTLSPort(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{TLS: certificates().server(false)})
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{Backoff: netasync.FixedDelay(time.Hour)})
	expect(t, c, netasync.Connected)
	send(t, c, "a message, not a handshake")
	require.Error(t, expect(t, c, netasync.Disconnected).Err)
	eventually(t, func() bool { return e.Stats().Refused == 1 }, "refused") // its alert is faster than the count
	require.Zero(t, e.Stats().Accepted)

	good := connect(t, e, ln.Addr(), netasync.ConnectOptions{TLS: certificates().client(false)})
	expect(t, good, netasync.Connected)
	take(t, ln.AcceptChan())
}

// A client that connects and says nothing is found by the heartbeat timeout.
func TestSilentClient(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{HeartbeatPeriod: 20 * time.Millisecond, HeartbeatTimeout: 60 * time.Millisecond})
	conn := rawDial(t, ln.Addr())
	s := take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	require.ErrorIs(t, expectClosed(t, s).Err, netasync.ErrHeartbeatTimeout)
	expectEOF(t, conn)
}

// A client that says next to nothing lives: a byte in each period, also inside a frame.
func TestDribblingClient(t *testing.T) {
	const period, timeout = 50 * time.Millisecond, time.Second
	ln := listen(t, newEngine(t), netasync.ListenOptions{HeartbeatPeriod: period, HeartbeatTimeout: timeout})
	conn := rawDial(t, ln.Addr())
	s := take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	var heartbeat [4]byte
	began := time.Now()
	for time.Since(began) < 2*timeout {
		for _, b := range frames("slow") {
			write(t, conn, []byte{b})
			_, err := io.ReadFull(conn, heartbeat[:]) // its heartbeats tell the time
			require.NoError(t, err)
			require.Zero(t, heartbeat)
		}
		expectMessages(t, s, "slow")
	}
}

// A server that says nothing any more is left, and tried again.
func TestSilentServer(t *testing.T) {
	ln := rawListen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{
		Backoff: quick, HeartbeatPeriod: 20 * time.Millisecond, HeartbeatTimeout: 60 * time.Millisecond,
	})
	for epoch := range uint64(2) {
		conn := rawAccept(t, ln)
		require.Equal(t, epoch+1, expect(t, c, netasync.Connected).Epoch)
		require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, netasync.ErrHeartbeatTimeout)
		expectEOF(t, conn)
	}
}

// A client that resets its connection ends its session, and no other.
func TestClientResets(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	good := rawDial(t, ln.Addr())
	go echoSession(take(t, ln.AcceptChan()))
	for range 20 {
		bad := rawDial(t, ln.Addr())
		s := take(t, ln.AcceptChan())
		expect(t, s, netasync.Connected)
		write(t, bad, frames("hello"))
		expectMessages(t, s, "hello")
		require.NoError(t, bad.SetLinger(0))
		require.NoError(t, bad.Close())
		require.Error(t, expectClosed(t, s).Err)
	}
	write(t, good, frames("well?"))
	expectFrames(t, good, "well?")
}

// A client that resets before it was accepted, or right after, is survived.
func TestClientResetsAtOnce(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	go echo(ln.AcceptChan())
	for range 100 {
		bad := rawDial(t, ln.Addr())
		require.NoError(t, bad.SetLinger(0))
		require.NoError(t, bad.Close())
	}
	good := rawDial(t, ln.Addr())
	write(t, good, frames("well?"))
	expectFrames(t, good, "well?")
	eventually(t, func() bool { return e.Stats().Sessions == 1 }, "the others ended")
}

// A name that cannot be resolved is an outage like any other.
func TestUnresolvableName(t *testing.T) {
	c, err := newEngine(t).Connect("nonexistent.invalid:1", netasync.ConnectOptions{Backoff: quick})
	require.NoError(t, err)
	ev := expect(t, c, netasync.Disconnected)
	var lookup *net.DNSError
	require.ErrorAs(t, ev.Err, &lookup)
	require.Equal(t, "nonexistent.invalid", lookup.Name)
	eventually(t, func() bool { return c.Stats().Attempts >= 3 }, "further attempts")
	require.Zero(t, c.Stats().Unread, "one Disconnected for one outage")
}

// A TLS server that never answers is given up after DialTimeout.
func TestHandshakeTimeout(t *testing.T) {
	ln := rawListen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{
		TLS: certificates().client(false), DialTimeout: 50 * time.Millisecond, Backoff: quick,
	})
	rawAccept(t, ln)
	err := expect(t, c, netasync.Disconnected).Err
	var timeout net.Error
	require.True(t, errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout(), "%v", err)
	rawAccept(t, ln) // and tried again
}

// A path that is no socket, or none at all, is an outage like any other.
func TestNoSuchSocket(t *testing.T) {
	c, err := newEngine(t).Connect("unix:"+t.TempDir()+"/none", netasync.ConnectOptions{Backoff: quick, MaxAttempts: 2})
	require.NoError(t, err)
	require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, syscall.ENOENT)
	require.ErrorIs(t, expectClosed(t, c).Err, syscall.ENOENT)
}
