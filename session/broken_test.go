package session

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// A connection that takes no more of what we write may still hold what the peer said before it
// ended. Here a callback that runs on the link's goroutine keeps that from reading.

// blocking returns a session whose callback for a message "stop" does as given, and the events of
// the others.
func blocking(t *testing.T, stop func(*Session)) (s *Session, texts chan string) {
	t.Helper()
	texts = make(chan string, 100)
	s, _ = newFake(t, true, func(c *Config) {
		c.Inline = true
		c.WriteBuffer = Fixed(2)
		c.OnEvent = func(s *Session, ev Event) {
			switch {
			case ev.Kind == Message && string(ev.Payload) == "stop":
				stop(s)
			case ev.Kind == Message:
				texts <- string(ev.Payload)
			default:
				texts <- ev.Kind.String()
			}
		}
	})
	s.dialing()
	return s, texts
}

// What came before a callback was over is read after it, for however long it took.
func TestSlowCallbackLosesNothingOfAPeerThatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, texts := blocking(t, func(*Session) { time.Sleep(time.Minute) })
		link := newFakeLink(unbounded)
		conn := s.attach(link, 0)
		conn.Start(false)
		go func() {
			for _, text := range []string{"stop", "a", "b"} { // each is a read of its own
				_, _, err := conn.Feed(testkit.Frames(text), false)
				require.NoError(t, err)
			}
			conn.End(io.EOF)
		}()
		synctest.Wait()
		link.Close() // the next heartbeat is the first to find out
		for _, want := range []string{"connected", "a", "b", "disconnected"} {
			require.Equal(t, want, <-texts)
		}
		s.CloseNow(errCut)
		require.Equal(t, "closed", <-texts)
	})
}

// A callback that waits in Send for room goes on: the connection will make none, and its end can be
// found by the goroutine alone that the callback holds up.
func TestCallbackDoesNotWaitForABrokenConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, texts := blocking(t, func(s *Session) {
			for range 10 {
				_ = s.Send(t.Context(), []byte("answer"))
			}
		})
		link := newFakeLink(0)
		conn := s.attach(link, 0)
		conn.Start(false)
		begin := time.Now()
		go func() {
			for _, text := range []string{"stop", "a", "b"} {
				_, _, err := conn.Feed(testkit.Frames(text), false)
				require.NoError(t, err)
			}
			conn.End(io.EOF)
		}()
		synctest.Wait()
		require.Equal(t, 2, s.Stats().Queued)
		link.Close()
		for _, want := range []string{"connected", "a", "b", "disconnected"} {
			require.Equal(t, want, <-texts)
		}
		require.Equal(t, begin, time.Now(), "at once")
		require.Equal(t, 10, s.Stats().Queued)
		s.CloseNow(errCut)
		require.Equal(t, "closed", <-texts)
	})
}

// A reader that finds no end is not waited for: a period after the error, or after the last bytes
// if they came later, the connection is over. While bytes wait unread, it is not.
func TestBrokenConnectionEndsWithoutItsReader(t *testing.T) {
	for name, c := range map[string]struct {
		unread bool
		ends   time.Duration
	}{"nothing to read": {false, 3 * time.Second}, "bytes wait": {true, 11 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, dialer := newFake(t, true, nil)
				s.dialing()
				link := newFakeLink(unbounded)
				s.attach(link, 0)
				link.beat(Pulse{Unread: c.unread})
				link.Close() // the heartbeat after 1 s finds out
				begin := time.Now()
				time.AfterFunc(10*time.Second, func() { link.beat(Pulse{}) })
				<-dialer.redials
				require.LessOrEqual(t, time.Since(begin), c.ends)
				if c.unread {
					require.GreaterOrEqual(t, time.Since(begin), 10*time.Second)
				}
				s.CloseNow(errCut)
			})
		})
	}
}
