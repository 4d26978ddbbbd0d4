package session

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// SendBatch queues all that fit under one lock, and writes once.
func TestSendBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		link := &countingLink{fakeLink: newFakeLink(unbounded)}
		s.attach(link, 0)
		time.Sleep(time.Second / 2)
		n, err := s.SendBatch(t.Context(), payloads("a", "b", "c"))
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.Equal(t, 1, link.writes)
		require.Equal(t, testkit.Frames("a", "b", "c"), link.written())
		n, err = s.SendBatch(t.Context(), nil)
		require.NoError(t, err)
		require.Zero(t, n)

		n, err = s.SendBatch(t.Context(), payloads("d", "", "e"))
		require.ErrorIs(t, err, ErrEmptyMessage)
		require.Equal(t, 1, n)
		n, err = s.SendBatch(t.Context(), [][]byte{make([]byte, s.cfg.MaxPayload+1)})
		require.ErrorIs(t, err, ErrFrameTooLarge)
		require.Zero(t, n)
		synctest.Wait()
		require.Equal(t, testkit.Frames("a", "b", "c", "d"), link.written())
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		n, err = s.SendBatch(ended, payloads("f"))
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, n)
		s.CloseNow(nil)
		n, err = s.SendBatch(t.Context(), payloads("f"))
		require.ErrorIs(t, err, ErrClosed)
		require.Zero(t, n)
	})
}

// A batch that is larger than the buffer waits in between, and tells how far it got.
func TestSendBatchWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, func(c *Config) { c.WriteBuffer = Fixed(3) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n, err := s.SendBatch(ctx, payloads(testkit.Texts(5)...))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 3, n)
		got := waiting(t.Context(), func(ctx context.Context) error {
			n, err := s.SendBatch(ctx, payloads(testkit.Texts(lockedMessages+5)...))
			return errors.Join(err, checkCount(lockedMessages+5, n))
		})
		require.Empty(t, got)
		s.dialing()
		link := newFakeLink(unbounded)
		s.attach(link, 0)
		require.NoError(t, <-got)
		synctest.Wait()
		require.Equal(t, testkit.Frames(append(testkit.Texts(3), testkit.Texts(lockedMessages+5)...)...), link.written())
		s.CloseNow(nil)
	})
}

func checkCount(want, got int) error {
	if got != want {
		return fmt.Errorf("%d, want %d", got, want)
	}
	return nil
}

// A lossy buffer takes it all.
func TestSendBatchIntoLossyBuffer(t *testing.T) {
	s, _ := newFake(t, true, func(c *Config) { c.WriteBuffer = Sliding(3) })
	n, err := s.SendBatch(t.Context(), payloads(testkit.Texts(5000)...))
	require.NoError(t, err)
	require.Equal(t, 5000, n)
	st := s.Stats()
	require.Equal(t, 3, st.Queued)
	require.EqualValues(t, 4997, st.Dropped)
	s.CloseNow(nil)
}

func payloads(texts ...string) (all [][]byte) {
	for _, text := range texts {
		all = append(all, []byte(text))
	}
	return all
}
