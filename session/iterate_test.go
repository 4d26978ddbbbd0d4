package session

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// feed has a connection bring messages.
func feed(t testing.TB, c *Conn, texts ...string) {
	t.Helper()
	rest, _, err := c.Feed(testkit.Frames(texts...), false)
	require.NoError(t, err)
	require.Empty(t, rest)
}

// some returns what a loop over Events gets until it has had so many.
func some(s *Session, n int) (got []string) {
	for ev := range s.Events(context.Background()) {
		got = append(got, ev.Kind.String()+string(ev.Payload))
		if len(got) == n {
			break
		}
	}
	return got
}

// A loop gets all events, up to Closed.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		done := make(chan []string, 1)
		go func() { done <- some(s, -1) }()
		s.dialing()
		conn := s.attach(newFakeLink(unbounded), 0)
		feed(t, conn, "a", "b")
		synctest.Wait()
		feed(t, conn, "c")
		conn.End(errCut)
		s.CloseNow(nil)
		require.Equal(t, []string{"connected", "messagea", "messageb", "messagec", "disconnected", "closed"}, <-done)
		require.Empty(t, some(s, -1), "again")
		_, err := s.Recv(t.Context())
		require.ErrorIs(t, err, io.EOF)
	})
}

// Messages skips what is no message, across connections, and tells why it ends.
func TestMessages(t *testing.T) {
	for _, cause := range []error{nil, errCut} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := newFake(t, true, nil)
			for _, text := range []string{"a", "b"} {
				s.dialing()
				conn := s.attach(newFakeLink(unbounded), 0)
				feed(t, conn, text)
				conn.End(errCut)
			}
			s.CloseNow(cause)
			var got []string
			for payload, err := range s.Messages(t.Context()) {
				got = append(got, fmt.Sprint(string(payload), err))
			}
			want := []string{"a<nil>", "b<nil>"}
			if cause != nil {
				want = append(want, cause.Error())
			}
			require.Equal(t, want, got)
		})
	}
}

// A context ends a loop, also between the events of a batch, and nothing is lost.
func TestContextEndsLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		conn := s.attach(newFakeLink(unbounded), 0)
		feed(t, conn, "a", "b", "c")
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		var end error
		for payload, err := range s.Messages(ctx) {
			if err != nil {
				end = err
				continue
			}
			got = append(got, string(payload))
			cancel()
		}
		require.Equal(t, []string{"a"}, got)
		require.ErrorIs(t, end, context.Canceled)
		require.Equal(t, []string{"messageb", "messagec"}, some(s, 2))

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Empty(t, slices.Collect(s.Events(ctx)), "while it waits")
		s.CloseNow(nil)
	})
}

// With callbacks there is nothing to loop over.
func TestLoopsBesideCallbacks(t *testing.T) {
	s, _ := newFake(t, false, func(c *Config) { c.OnEvent = func(*Session, Event) {} })
	require.Empty(t, slices.Collect(s.Events(t.Context())))
	for _, err := range s.Messages(t.Context()) {
		require.ErrorIs(t, err, ErrCallbacks)
	}
	s.CloseNow(nil)
}

// Answers that are sent while more of the batch is in hand are written together, at its end or when
// the loop ends.
func TestLoopsCork(t *testing.T) {
	for _, answered := range []int{5, 3} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := newFake(t, false, nil)
			link := &countingLink{fakeLink: newFakeLink(unbounded)}
			conn := s.attach(link, 0)
			recv(t, s)
			texts := testkit.Texts(5)
			feed(t, conn, texts...)
			before := time.Now()
			n := 0
			for payload := range s.Messages(t.Context()) {
				require.NoError(t, s.Send(t.Context(), payload))
				if n++; n == answered {
					break
				}
			}
			synctest.Wait()
			require.Zero(t, time.Since(before))
			require.Equal(t, 1, link.writes)
			require.Equal(t, testkit.Frames(texts[:answered]...), link.written())
			s.CloseNow(nil)
		})
	}
}

type countingLink struct {
	*fakeLink
	writes int
}

func (l *countingLink) Write(bufs [][]byte, wait bool) (int, error) {
	l.writes++
	return l.fakeLink.Write(bufs, wait)
}

// The next batch finds what was sent for the one before written.
func TestLoopsWriteBeforeTheyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		link := newFakeLink(unbounded)
		conn := s.attach(link, 0)
		recv(t, s)
		feed(t, conn, "a", "b")
		go func() {
			for payload := range s.Messages(context.Background()) {
				if string(payload) == "a" {
					_ = s.Send(context.Background(), payload)
				}
			}
		}()
		synctest.Wait()
		require.Equal(t, testkit.Frames("a"), link.written())
		s.CloseNow(nil)
	})
}
