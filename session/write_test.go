package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// What writes a message, in every case.
func TestWhoWrites(t *testing.T) {
	const soon, pause = 0, writePause
	for _, c := range []struct {
		hand   hand
		corked bool
		idle   time.Duration
		want   writer
	}{
		{alone, false, soon, goroutine},
		{alone, false, pause, here},
		{alone, true, soon, goroutine},
		{alone, true, pause, here},
		{within, false, soon, corking},
		{within, false, pause, corking},
		{within, true, soon, nobody},
		{within, true, pause, nobody},
		{atEnd, false, soon, here},
		{atEnd, false, pause, here},
		{atEnd, true, soon, here},
		{atEnd, true, pause, here},
		{stuck, false, soon, goroutine},
		{stuck, false, pause, goroutine},
		{stuck, true, soon, goroutine},
		{stuck, true, pause, goroutine},
	} {
		require.Equal(t, c.want, writerFor(c.hand, c.corked, c.idle), "%+v", c)
	}
}

// Answers to a batch are written together, at its end; those of a consumer that stops within it,
// when the cork's time is over.
func TestCork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		link := newFakeLink(unbounded)
		c := s.attach(link, 0)
		recv(t, s)
		_, _, err := c.Feed(testkit.Frames("a", "b", "c"), false)
		require.NoError(t, err)
		begin := time.Now()
		for range 2 {
			require.NoError(t, s.Send(t.Context(), recv(t, s).Payload))
			synctest.Wait()
			require.Empty(t, link.written(), "a further event is in hand")
		}
		require.NoError(t, s.Send(t.Context(), recv(t, s).Payload))
		require.Equal(t, testkit.Frames("a", "b", "c"), link.written(), "the batch is at its end")
		require.Zero(t, time.Since(begin))

		_, _, err = c.Feed(testkit.Frames("d", "e"), false)
		require.NoError(t, err)
		require.NoError(t, s.Send(t.Context(), recv(t, s).Payload))
		synctest.Wait()
		require.Equal(t, testkit.Frames("a", "b", "c"), link.written())
		time.Sleep(corkDelay)
		synctest.Wait()
		require.Equal(t, testkit.Frames("a", "b", "c", "d"), link.written())
		s.CloseNow(errCut)
	})
}

// The answer to a single message is written before Send returns, however fast the conversation is:
// another goroutine would have to be waited for.
func TestAnswerToASingleMessageIsWrittenAtOnce(t *testing.T) {
	// Time stands still: no pause tells a conversation from a stream.
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		link := newFakeLink(unbounded)
		conn := s.attach(link, 0)
		recv(t, s)
		var want []byte
		for range 3 {
			want = append(want, testkit.Frames("ping")...)
			_, _, err := conn.Feed(testkit.Frames("ping"), true)
			require.NoError(t, err)
			require.NoError(t, s.Send(t.Context(), recv(t, s).Payload))
			require.Equal(t, want, link.written())
		}
		s.CloseNow(errCut)
	})
}

// What was sent by the end of a batch is written by its sender, also where that takes several writes;
// but little more than flushBytes, since the sender may be an event loop.
func TestSenderWritesAllOfABatch(t *testing.T) {
	for _, kib := range []int{1, 63, 64, 65, 100, 200, 1000} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := newFake(t, false, nil)
			link := &meter{sink: newSink()}
			conn := s.attach(link, 0)
			s.mu.Lock()
			require.True(t, s.takeWriting(conn))
			for range kib {
				s.enqueue(make([]byte, 1<<10))
			}
			s.mu.Unlock()
			s.flush(conn, false)
			synctest.Wait()
			wire := kib * len(testkit.Frames(make([]byte, 1<<10)))
			require.Equal(t, wire, link.atOnce+link.waiting)
			if wire <= flushBytes {
				require.Zero(t, link.waiting, "of %d KiB", kib)
			} else {
				require.InDelta(t, flushBytes+writeBytes/2, link.atOnce, writeBytes/2)
			}
			s.CloseNow(errCut)
		})
	}
}

// meter is a link that takes everything, and counts what it was given.
type meter struct {
	*sink
	atOnce, waiting int // bytes of writes that must not wait, and of those that may
}

func (m *meter) Write(bufs [][]byte, wait bool) (int, error) {
	n, err := m.sink.Write(bufs, wait)
	if wait {
		m.waiting += n
	} else {
		m.atOnce += n
	}
	return n, err
}
