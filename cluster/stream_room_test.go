package cluster

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// crowd takes all streams of the link between two nodes. Those that are idle end when others want the room.
func crowd(t testing.TB, from, to *place, idle bool) (all []*binding) {
	t.Helper()
	k := theLink(t, from, to)
	for range maxStreams {
		s := from.Session("nobody")
		s.mu.Lock()
		b, room := k.begin(s, holder{to.id, 7, 1})
		require.Nil(t, room)
		if all = append(all, b); idle {
			s.at = b
		}
		s.mu.Unlock()
	}
	return all
}

// moved is a stream with a full window whose name moves to a node that has no room for another stream.
func moved(t testing.TB, idle bool) (
	nodes []*place, s *RemoteSession, to slow, taken, sent int, all []*binding,
) {
	t.Helper()
	nodes = startMany(t, 3)
	at := newSlow(t, nodes, 2, "ada")
	s = nodes[0].Session("ada")
	sent = at.fill(t, s, 0)
	all = crowd(t, nodes[0], nodes[1], idle)
	to = newSlow(t, nodes, 1, "ada")
	<-at.accepted.Done()
	return nodes, s, to, int(at.accepted.Stats().Accepted), sent, all
}

// A name moves to a node to which there are as many streams as may be: those that are idle make room.
func TestStreamMovesToACrowd(t *testing.T) {
	_, s, to, taken, sent, _ := moved(t, true)
	to.read(t, taken, sent)
	require.NoError(t, s.Flush(within(t)))
}

// waits waits until a stream waits for room.
func waits(t testing.TB, s *RemoteSession, k *link) {
	t.Helper()
	eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.at == nil && k.full()
	}, "it waits for room")
}

// Where none of the streams is idle it waits until one ends, and takes messages meanwhile.
func TestStreamWaitsForRoom(t *testing.T) {
	nodes, s, to, taken, sent, all := moved(t, false)
	k := theLink(t, nodes[0], nodes[1])
	waits(t, s, k)
	for s.TrySend(numbered(sent)) == nil {
		sent++
	}
	require.ErrorIs(t, s.TrySend(numbered(sent)), ErrQueueFull)
	late, cancel := context.WithTimeout(within(t), time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Flush(late), context.DeadlineExceeded)
	k.forget(all[0])
	to.read(t, taken, sent)
	require.NoError(t, s.Flush(within(t)))
}

// A stream waits for room while its name moves on: it follows.
func TestStreamWaitsForRoomNoMore(t *testing.T) {
	nodes, s, to, taken, sent, _ := moved(t, false)
	waits(t, s, theLink(t, nodes[0], nodes[1]))
	next := newSlow(t, nodes, 0, "ada")
	<-to.accepted.Done()
	next.read(t, taken, sent)
	require.NoError(t, s.Flush(within(t)))
}

// A stream waits for room when its node ends: its messages are not queued.
func TestStreamWaitsForRoomAtTheEnd(t *testing.T) {
	nodes, s, _, taken, sent, _ := moved(t, false)
	waits(t, s, theLink(t, nodes[0], nodes[1]))
	require.NoError(t, nodes[0].Shutdown(within(t)))
	var undelivered *UndeliveredError
	require.ErrorAs(t, s.Flush(within(t)), &undelivered)
	require.ErrorIs(t, undelivered, ErrShutdown)
	require.Equal(t, []int{sent - taken, 0}, []int{undelivered.NotQueued, undelivered.Unknown})
}
