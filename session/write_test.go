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
