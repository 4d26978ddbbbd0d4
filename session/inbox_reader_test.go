package session

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// A reader that waits for room is woken by a failed write at once: it is to find the end.
func TestFailedWriteFreesTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer = Fixed(2) })
		link := newFakeLink(0)
		conn := s.attach(link, 0)
		free := make(chan bool, 1)
		go func() {
			_, _, _ = conn.Feed(testkit.Frames("a", "b", "c"), false)
			conn.Wait()
			free <- true
		}()
		require.NoError(t, s.Send(t.Context(), []byte("x")))
		synctest.Wait()
		require.Empty(t, free)
		link.Close()
		synctest.Wait()
		require.Len(t, free, 1)
		s.CloseNow(errCut)
	})
}

// What is read past the bounds, to find the end, is not dropped.
func TestDrainedMessagesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer = Fixed(2) })
		link := newFakeLink(0)
		conn := s.attach(link, 0)
		require.NoError(t, s.Send(t.Context(), []byte("x")))
		synctest.Wait()
		link.Close()
		synctest.Wait()
		for i := range 20 {
			rest, _, err := conn.Feed(testkit.Frames(fmt.Sprint(i)), false)
			require.NoError(t, err)
			require.Empty(t, rest)
		}
		conn.End(io.EOF)
		recv(t, s)
		for i := range 20 {
			require.Equal(t, fmt.Sprint(i), string(recv(t, s).Payload))
		}
		require.Equal(t, Closed, recv(t, s).Kind)
	})
}

// A broken connection is read past the bounds, to find its end: the next one is not.
func TestDrainingEndsWithItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer := newFake(t, true, func(c *Config) { c.ReadBuffer = Fixed(2) })
		s.dialing()
		broken := newFakeLink(0)
		old := s.attach(broken, 0)
		require.NoError(t, s.Send(t.Context(), []byte("x")))
		synctest.Wait()
		broken.Close()
		synctest.Wait()
		old.End(errCut)
		<-dialer.redials
		s.dialing()
		now := s.attach(newFakeLink(unbounded), 0)
		rest, _, err := now.Feed(testkit.Frames("a", "b", "c"), false)
		require.NoError(t, err)
		require.Equal(t, testkit.Frames("c"), rest)
		s.CloseNow(errCut)
	})
}

// However many connections break while nobody reads, what they bring past the bounds is bounded.
func TestDrainingIsBoundedOverConnections(t *testing.T) {
	s, dialer := newFake(t, true, func(c *Config) { c.ReadBuffer = Fixed(4) })
	mib := testkit.Frames(strings.Repeat("x", 1<<20))
	for range 10 {
		require.True(t, s.dialing())
		link := newFakeLink(unbounded)
		r := s.attach(link, 0)
		link.Close()
		require.NoError(t, s.TrySend([]byte("x")))
		testkit.Eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return r.writeErr != nil }, "the end of writing")
		for range 10 {
			if rest, _, err := r.Feed(mib, false); len(rest) > 0 || err != nil {
				break
			}
		}
		r.End(errCut)
		<-dialer.redials
	}
	require.Less(t, s.in.bytes, DefaultReadBytes+drainBytes+2<<20)
	s.CloseNow(nil)
}
