package netasync_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// Addrs are tried in turn: the first one dead is no outage.
func TestSeveralAddresses(t *testing.T) {
	ln := rawListen(t)
	c := connect(t, newEngine(t), deadAddr(t), netasync.ConnectOptions{
		Addrs: []string{"unix:/nonexistent", ln.Addr().String()}, Backoff: quick,
	})
	conn := rawAccept(t, ln)
	expect(t, c, netasync.Connected)
	require.Equal(t, ln.Addr().String(), c.RemoteAddr().String())
	require.NoError(t, conn.Close())
	expect(t, c, netasync.Disconnected)
	rawAccept(t, ln)
	require.EqualValues(t, 2, expect(t, c, netasync.Connected).Epoch)
}

// When one server dies, the session goes to the other.
func TestFailover(t *testing.T) {
	a, b := rawListen(t), rawListen(t)
	c := connect(t, newEngine(t), a.Addr(), netasync.ConnectOptions{Addrs: []string{b.Addr().String()}, Backoff: quick})
	first := rawAccept(t, a)
	expect(t, c, netasync.Connected)
	require.NoError(t, a.Close())
	require.NoError(t, first.Close())
	expect(t, c, netasync.Disconnected)
	rawAccept(t, b)
	expect(t, c, netasync.Connected)
}

// Resolve is asked before every attempt, and its errors are outages like any other.
func TestResolve(t *testing.T) {
	ln := rawListen(t)
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
		take(t, asked)
		answers <- answer
	}
	ask()
	ev := expect(t, c, netasync.Disconnected)
	require.ErrorIs(t, ev.Err, unknown)
	ask()
	ask("not an address")
	ask(deadAddr(t).String())
	ask(deadAddr(t).String(), ln.Addr().String())
	require.EqualValues(t, 1, expect(t, c, netasync.Connected).Epoch)
	require.EqualValues(t, 5, c.Stats().Attempts)
	require.NoError(t, rawAccept(t, ln).Close())
	expect(t, c, netasync.Disconnected)
	ask(ln.Addr().String())
	rawAccept(t, ln)
	expect(t, c, netasync.Connected)
}

// RetryNow cuts a long back-off short.
func TestRetryNow(t *testing.T) {
	addr := deadAddr(t)
	c := connect(t, newEngine(t), addr, netasync.ConnectOptions{Backoff: netasync.FixedDelay(time.Hour)})
	expect(t, c, netasync.Disconnected)
	c.RetryNow()
	eventually(t, func() bool { return c.Stats().Attempts == 2 && c.State() == netasync.StateDisconnected }, "one more attempt")
	ln := rawListenAt(t, addr.String())
	c.RetryNow()
	conn := rawAccept(t, ln)
	expect(t, c, netasync.Connected)
	c.RetryNow() // nothing to retry, and nothing kept for the next outage
	require.NoError(t, conn.Close())
	expect(t, c, netasync.Disconnected)
	require.EqualValues(t, 3, c.Stats().Attempts)
	c.RetryNow()
	rawAccept(t, ln)
	expect(t, c, netasync.Connected)
}

// After MaxAttempts failures in a row a session gives up, and says why.
func TestMaxAttempts(t *testing.T) {
	c := connect(t, newEngine(t), deadAddr(t), netasync.ConnectOptions{MaxAttempts: 3, Backoff: quick})
	send(t, c, "never sent")
	require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, syscall.ECONNREFUSED)
	ev := expectClosed(t, c)
	require.ErrorIs(t, ev.Err, syscall.ECONNREFUSED)
	require.Equal(t, 1, ev.Queued)
	require.EqualValues(t, 3, c.Stats().Attempts)
}

// The count of failures begins anew with every connection that proved itself.
func TestMaxAttemptsInARow(t *testing.T) {
	ln := rawListen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{MaxAttempts: 2, Backoff: quick})
	for range 5 {
		conn := rawAccept(t, ln)
		expect(t, c, netasync.Connected)
		write(t, conn, frames("proof"))
		expectMessages(t, c, "proof")
		require.NoError(t, conn.Close())
		expect(t, c, netasync.Disconnected)
	}
	require.NoError(t, rawAccept(t, ln).Close())
	expect(t, c, netasync.Connected)
}

// Over MaxSessions, connections are closed at once; when a session ends, there is room again.
func TestMaxSessions(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{MaxSessions: 2})
	first := rawDial(t, ln.Addr())
	s := take(t, ln.AcceptChan())
	rawDial(t, ln.Addr())
	take(t, ln.AcceptChan())
	expectEOF(t, rawDial(t, ln.Addr()))
	require.EqualValues(t, 1, e.Stats().Refused)
	require.Equal(t, 2, e.Stats().Sessions)

	require.NoError(t, first.Close())
	expect(t, s, netasync.Connected)
	expectClosed(t, s)
	write(t, rawDial(t, ln.Addr()), frames("hello"))
	s = take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	expectMessages(t, s, "hello")
}

// A session has a number of its own, room for its user's data, a state, and always addresses.
func TestSessionFacts(t *testing.T) {
	for _, kind := range []string{"127.0.0.1:0", "unix:" + socketPath(t)} {
		t.Run(kind, func(t *testing.T) {
			e := newEngine(t)
			ln := listenAt(t, e, kind, netasync.ListenOptions{})
			gate := make(chan struct{})
			c, err := e.Connect("127.0.0.1:1", netasync.ConnectOptions{Resolve: func(context.Context) ([]string, error) {
				<-gate
				return []string{dialable(ln.Addr())}, nil
			}})
			require.NoError(t, err)
			require.Equal(t, netasync.StateConnecting, c.State())
			require.Equal(t, "127.0.0.1:1", c.RemoteAddr().String())
			require.NotNil(t, c.LocalAddr())
			require.Nil(t, c.Value())
			c.SetValue("mine")
			close(gate)

			accepted := take(t, ln.AcceptChan())
			require.NotEqual(t, c.ID(), accepted.ID())
			expect(t, c, netasync.Connected)
			sessions := slices.Collect(e.Sessions())
			require.Len(t, sessions, 2)
			require.Contains(t, sessions, c)
			require.Contains(t, sessions, accepted)
			require.NoError(t, c.Close())
			for _, s := range []*netasync.Session{c, accepted} {
				untilClosed(t, s)
				require.Equal(t, ln.Addr().Network(), s.LocalAddr().Network())
				require.Equal(t, ln.Addr().Network(), s.RemoteAddr().Network())
				require.NotPanics(t, func() { _ = s.LocalAddr().String() + s.RemoteAddr().String() })
			}
			require.Equal(t, ln.Addr().String(), c.RemoteAddr().String())
			require.Equal(t, ln.Addr().String(), accepted.LocalAddr().String())
			require.Equal(t, "mine", c.Value())
			require.Nil(t, accepted.Value())
			eventually(t, func() bool { return e.Stats().Sessions == 0 }, "forgotten")
		})
	}
}

// A session that never connected has addresses, too, also when it has closed.
func TestAddressesWithoutConnection(t *testing.T) {
	c, err := newEngine(t).Connect("", netasync.ConnectOptions{
		Resolve: func(context.Context) ([]string, error) { return nil, errors.New("no") }, MaxAttempts: 1,
	})
	require.NoError(t, err)
	untilClosed(t, c)
	for _, addr := range []net.Addr{c.LocalAddr(), c.RemoteAddr()} {
		require.NotNil(t, addr)
		require.NotPanics(t, func() { _ = addr.Network() + addr.String() })
	}
}

// Other framings work end to end, up to the largest message their header can announce.
func TestCodecs(t *testing.T) {
	for name, test := range map[string]struct {
		codec   netasync.Codec
		wire    string // of the message "hi"
		largest int
	}{
		"default":                    {netasync.Codec{}, "\x00\x00\x00\x02hi", 1 << 20},
		"varint":                     {netasync.Codec{Varint: true}, "\x02hi", 1 << 20},
		"two bytes, little endian":   {netasync.Codec{Width: 2, LittleEndian: true}, "\x02\x00hi", 1<<16 - 1},
		"one byte":                   {netasync.Codec{Width: 1}, "\x02hi", 1<<8 - 1},
		"two bytes, includes header": {netasync.Codec{Width: 2, IncludesHeader: true}, "\x00\x04hi", 1<<16 - 3},
		"eight bytes":                {netasync.Codec{Width: 8}, "\x00\x00\x00\x00\x00\x00\x00\x02hi", 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			ln := rawListen(t)
			options := netasync.ConnectOptions{Codec: test.codec, MaxPayload: 1 << 20, HeartbeatPeriod: time.Minute}
			c := connect(t, newEngine(t), ln.Addr(), options)
			conn := rawAccept(t, ln)
			send(t, c, "hi")
			wire := make([]byte, len(test.wire))
			_, err := io.ReadFull(conn, wire)
			require.NoError(t, err)
			require.Equal(t, test.wire, string(wire))
			write(t, conn, wire)
			expect(t, c, netasync.Connected)
			expectMessages(t, c, "hi")

			a, b := pair(t, netasync.ListenOptions{Codec: test.codec, MaxPayload: 1 << 20}, options)
			largest := strings.Repeat("x", test.largest)
			send(t, a, largest)
			expectMessages(t, b, largest)
			require.ErrorIs(t, a.Send(background(t), []byte(largest+"x")), netasync.ErrFrameTooLarge)
		})
	}
}

// What cannot be sent is refused by Send and TrySend, and by WriteChan ignored and counted.
func TestWhatCannotBeSent(t *testing.T) {
	c, server := pair(t, netasync.ListenOptions{}, netasync.ConnectOptions{MaxPayload: 100})
	for payload, want := range map[string]error{"": netasync.ErrEmptyMessage, strings.Repeat("x", 101): netasync.ErrFrameTooLarge} {
		require.ErrorIs(t, c.Send(background(t), []byte(payload)), want)
		require.ErrorIs(t, c.TrySend([]byte(payload)), want)
		put(t, c.WriteChan(), []byte(payload))
	}
	put(t, c.WriteChan(), nil)
	put(t, c.WriteChan(), []byte("good"))
	expectMessages(t, server, "good")
	require.EqualValues(t, 3, c.Stats().Discarded)
}

// Sends to WriteChan never hang, though the session has closed, and what drains them goes away with the session.
func TestWriteChanAfterClosed(t *testing.T) {
	const n = 1000
	ours := more()
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{HeartbeatPeriod: 10 * time.Millisecond})
	func() {
		conn := rawDial(t, ln.Addr())
		s := take(t, ln.AcceptChan())
		early := s.WriteChan()
		require.NoError(t, conn.Close())
		untilClosed(t, s)
		for range n {
			put(t, early, []byte("late"))
			put(t, s.WriteChan(), []byte("late"))
		}
		require.Equal(t, early, s.WriteChan())
		eventually(t, func() bool { return s.Stats().Discarded == 2*n }, "all are counted")
		require.ErrorIs(t, s.Send(background(t), []byte("late")), netasync.ErrClosed)
		require.ErrorIs(t, s.TrySend([]byte("late")), netasync.ErrClosed)

		other := connect(t, e, deadAddr(t), netasync.ConnectOptions{})
		require.NoError(t, other.Close())
		untilClosed(t, other)
		put(t, other.WriteChan(), []byte("late")) // asked for only now
		close(other.WriteChan())
	}()
	require.NoError(t, e.Shutdown(background(t)))
	require.Empty(t, settle(ours))
}
