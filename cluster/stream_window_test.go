package cluster

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// slow is a session whose client does not read until it is told to.
type slow struct{ client, accepted *netasync.Session }

// newSlow claims a name for one.
func newSlow(t testing.TB, nodes []*place, at int, name string) slow {
	t.Helper()
	l, err := nodes[at].engine.Listen("127.0.0.1:0", netasync.ListenOptions{
		WriteBuffer: netasync.Fixed(4), MaxPayload: 1 << 20,
		SocketWriteBuffer: 64 << 10, // fixed ones are full soon, and stay so
	})
	require.NoError(t, err)
	p := &place{nodes[at].Node, l}
	client, accepted := p.session(t, netasync.ConnectOptions{
		ReadBuffer: netasync.Fixed(1), SocketReadBuffer: 64 << 10,
	})
	_, err = nodes[at].Claim(within(t), name, accepted, Replace)
	require.NoError(t, err)
	eventually(t, func() bool { return holds(nodes, name, nodes[at], accepted) }, "it is known")
	return slow{client, accepted}
}

// numbered is a message of 32 KiB that begins with a number.
func numbered(i int) []byte { return append(fmt.Appendf(nil, "%d ", i), make([]byte, 32<<10)...) }

// numberOf returns it.
func numberOf(t testing.TB, payload []byte) int {
	t.Helper()
	for i, c := range payload {
		if c == ' ' {
			n, err := strconv.Atoi(string(payload[:i]))
			require.NoError(t, err)
			return n
		}
	}
	require.Fail(t, "no number")
	return 0
}

// fill sends numbered messages until nothing moves any more, as the session's buffer and the window are
// full, and returns the next number.
func (w slow) fill(t testing.TB, s *RemoteSession, count int) int {
	t.Helper()
	var before netasync.SessionStats
	for {
		ctx, cancel := context.WithTimeout(within(t), 100*time.Millisecond)
		err := s.Send(ctx, numbered(count))
		cancel()
		if err == nil {
			count++
			continue
		}
		require.ErrorIs(t, err, context.DeadlineExceeded)
		now := w.accepted.Stats()
		if now.Queued >= 4 && now.Accepted == before.Accepted && now.Sent == before.Sent {
			return count
		}
		before = now
	}
}

// read reads numbered messages, and requires them to be these.
func (w slow) read(t testing.TB, from, to int) {
	t.Helper()
	for payload, err := range w.client.Messages(within(t)) {
		require.NoError(t, err)
		require.Equal(t, from, numberOf(t, payload))
		if from++; from == to {
			return
		}
	}
}

// A slow session pushes its sender back, and nobody else: not at its node, and not by the same link.
func TestStreamPushesBack(t *testing.T) {
	nodes := startMany(t, 2)
	for at := range nodes {
		slow := newSlow(t, nodes, at, fmt.Sprint("slow ", at))
		s := nodes[0].Session(fmt.Sprint("slow ", at))
		count := slow.fill(t, s, 0)
		require.ErrorIs(t, s.TrySend([]byte("no room")), ErrQueueFull)
		s.mu.Lock()
		require.LessOrEqual(t, s.bytes, windowBytes+33<<10)
		s.mu.Unlock()
		late, cancel := context.WithTimeout(within(t), time.Millisecond)
		require.ErrorIs(t, s.Flush(late), context.DeadlineExceeded)
		cancel()

		name := fmt.Sprint("quick ", at)
		client, _ := claimed(t, nodes, at, name)
		quick := nodes[0].Session(name)
		for i := range 3 * windowMessages {
			require.NoError(t, quick.Send(within(t), fmt.Append(nil, i)))
			require.Equal(t, fmt.Sprint(i), message(t, client))
		}
		require.NoError(t, quick.Flush(within(t)))

		require.ErrorIs(t, s.TrySend([]byte("no room")), ErrQueueFull)
		slow.read(t, 0, count)
		require.NoError(t, s.Flush(within(t)))
		require.NoError(t, s.TrySend(numbered(count)))
		slow.read(t, count, count+1)
	}
}

// Each error says what became of the message, and Flush tells of those that were accepted, once.
func TestStreamErrors(t *testing.T) {
	nodes := startMany(t, 2)
	s := nodes[0].Session("ada")
	require.ErrorIs(t, s.Send(within(t), []byte("hello")), ErrNoSession)
	require.ErrorIs(t, s.TrySend(nil), netasync.ErrEmptyMessage)
	require.ErrorIs(t, s.TrySend(make([]byte, maxMessage+1)), netasync.ErrFrameTooLarge)
	ended, cancel := context.WithCancel(within(t))
	cancel()
	require.Equal(t, context.Canceled, s.Send(ended, []byte("hello")))
	require.NoError(t, s.Flush(within(t)), "nothing was accepted")

	var slow slow
	for at := range nodes {
		slow = newSlow(t, nodes, at, "ada")
		require.NoError(t, s.Send(within(t), numbered(0)))
		err := s.Send(within(t), make([]byte, 1<<20+1)) // is known at once where the session is here
		require.NoError(t, s.Send(within(t), numbered(1)))
		slow.read(t, 0, 2)
		if at == 0 {
			require.ErrorIs(t, err, netasync.ErrFrameTooLarge)
			require.NoError(t, s.Flush(within(t)))
			continue
		}
		require.NoError(t, err)
		err = s.Flush(within(t))
		require.ErrorIs(t, err, netasync.ErrFrameTooLarge)
		var undelivered *UndeliveredError
		require.ErrorAs(t, err, &undelivered)
		require.Equal(t, []int{1, 0}, []int{undelivered.NotQueued, undelivered.Unknown})
		require.NotErrorIs(t, err, ErrUnknownOutcome)
		require.NoError(t, s.Flush(within(t)), "it is told once")
	}

	count := slow.fill(t, s, 0)
	require.NoError(t, nodes[0].Shutdown(within(t)))
	require.ErrorIs(t, s.Send(within(t), []byte("hello")), ErrShutdown)
	var undelivered *UndeliveredError
	require.ErrorAs(t, s.Flush(within(t)), &undelivered)
	require.ErrorIs(t, undelivered, ErrShutdown)
	require.ErrorIs(t, undelivered, ErrUnknownOutcome)
	require.LessOrEqual(t, undelivered.Unknown+undelivered.NotQueued, count)
}

// A node without a port sends to its own names.
func TestStreamAlone(t *testing.T) {
	n := start(t, Options{})
	slow := newSlow(t, []*place{n}, 0, "ada")
	s := n.Session("ada")
	count := slow.fill(t, s, 0)
	slow.accepted.CloseNow(nil)
	var undelivered *UndeliveredError
	require.ErrorAs(t, s.Flush(within(t)), &undelivered)
	require.ErrorIs(t, undelivered, ErrNoSession)
	require.Equal(t, count-int(slow.accepted.Stats().Accepted), undelivered.NotQueued)
	require.Zero(t, undelivered.Unknown)
	require.ErrorIs(t, s.Send(within(t), []byte("hello")), ErrNoSession)
}

// A node whose relay port cannot be reached has no streams, and that is said.
func TestStreamWithoutLink(t *testing.T) {
	server := natsServer(t, -1)
	a, _ := startOn(t, server, Options{})
	b, _ := startOn(t, server, Options{})
	knows(t, 1, a, b)
	claimed(t, []*place{a, b}, 1, "ada")
	s := a.Session("ada")
	require.ErrorIs(t, s.Send(within(t), []byte("there is no port")), ErrNoLink)
	b.directory.mu.Lock()
	b.directory.nodes[b.id].relay = "127.0.0.1:1"
	b.directory.mu.Unlock()
	eventually(t, func() bool { g, _ := a.directory.node(b.id); return g.relay != "" }, "it is told")
	require.NoError(t, s.Send(within(t), []byte("nobody is there")))
	var undelivered *UndeliveredError
	require.ErrorAs(t, s.Flush(within(t)), &undelivered)
	require.ErrorIs(t, undelivered, ErrNoLink)
	require.Equal(t, []int{1, 0}, []int{undelivered.NotQueued, undelivered.Unknown})
}
