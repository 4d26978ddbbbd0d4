package broadcast

import (
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// A member waits to be written once, however much is queued for it meanwhile.
func TestMemberWaitsOnce(t *testing.T) {
	g, l := NewGroup(Options{}), newLink(false)
	s := connected(t, l, nil)
	g.Add(s)
	w := &g.writers
	w.running = runtime.GOMAXPROCS(0) // so that none is started
	for range 100 {
		require.Equal(t, Result{Queued: 1}, g.Send([]byte("m")))
	}
	require.Len(t, w.queue, 1)
	w.write()
	require.Empty(t, w.queue)
	require.Len(t, l.messages(t), 100)
	w.running = 0
	require.Equal(t, Result{Queued: 1}, g.Send([]byte("m")))
	testkit.Eventually(t, func() bool { return s.Stats().Sent == 101 }, "it is owed anew")
	s.CloseNow(nil)
}

// The queue takes memory for what waits, also if it is never empty, and keeps nobody who was written.
func TestQueueOfWritersIsBounded(t *testing.T) {
	w, some := &writers{running: 1}, make([]*session.Member, handful)
	for i := range some {
		some[i] = new(session.Member)
	}
	w.put(some, 1)
	for range 1000 {
		w.put(some, 1)
		require.Equal(t, handful, w.take(make([]*session.Member, handful)))
		require.LessOrEqual(t, len(w.queue), 4*handful)
	}
	for range 2 * keptQueue / handful {
		w.put(some, 1)
	}
	for w.take(make([]*session.Member, 7)) > 0 {
		require.LessOrEqual(t, w.next, len(w.queue)/2)
	}
	require.Zero(t, cap(w.queue), "what a crowd took is given back")
	require.Zero(t, w.running)
	w.running = 1
	w.put(some, 1)
	for w.take(make([]*session.Member, 7)) > 0 {
	}
	for _, m := range w.queue[:cap(w.queue)] {
		require.Nil(t, m)
	}
}

// Several messages in a row are written together, and by no goroutine of the member.
func TestMessagesInARowAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, l := NewGroup(Options{}), newLink(true)
		s := connected(t, l, nil)
		g.Add(s)
		l.mu.Lock() // the first write waits here
		for range 100 {
			g.Send([]byte("m"))
		}
		l.shut = false
		l.mu.Unlock()
		synctest.Wait()
		require.Len(t, l.messages(t), 100)
		require.LessOrEqual(t, l.writes, 2)
		s.CloseNow(nil)
	})
}
