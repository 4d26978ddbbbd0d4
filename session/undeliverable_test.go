package session

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// refused is a message that no peer of these tests takes as a whole.
var refused = strings.Repeat("x", 100)

// cutAfter gives a dialed session a connection that takes so many bytes, and ends. It returns what
// that took.
func cutAfter(t *testing.T, s *Session, room int) (taken string) {
	t.Helper()
	require.True(t, s.dialing())
	link := newFakeLink(room)
	conn := s.attach(link, 0)
	synctest.Wait()
	conn.End(errCut)
	synctest.Wait()
	<-s.dial.(*fakeDialer).redials
	return string(link.written())
}

// outageOf returns the session's next Disconnected event.
func outageOf(t *testing.T, s *Session) Event {
	t.Helper()
	for {
		if ev := recv(t, s); ev.Kind == Disconnected {
			return ev
		}
	}
}

// A message within which three connections have ended is dropped and told of, and what is behind it
// passes.
func TestUndeliverableMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		for _, m := range []string{refused, "behind"} {
			require.NoError(t, s.Send(t.Context(), []byte(m)))
		}
		for range 2 {
			cutAfter(t, s, 10)
			ev := outageOf(t, s)
			require.Equal(t, errCut, ev.Err)
			require.Equal(t, 2, ev.Queued)
			require.Zero(t, s.Stats().Dropped)
		}
		cutAfter(t, s, 10)
		ev := outageOf(t, s)
		require.ErrorIs(t, ev.Err, ErrUndeliverable)
		require.ErrorIs(t, ev.Err, errCut)
		require.Equal(t, 1, ev.Queued)
		st := s.Stats()
		require.EqualValues(t, 1, st.Dropped)
		require.EqualValues(t, 1, st.Undeliverable)
		require.Equal(t, errCut, st.LastError)
		require.Equal(t, string(testkit.Frames("behind")), cutAfter(t, s, unbounded))
		require.Equal(t, errCut, outageOf(t, s).Err)
		s.CloseNow(errCut)
	})
}

// The count belongs to one message, and only a connection that took a part of it counts.
func TestWhatMakesAMessageUndeliverable(t *testing.T) {
	other := strings.Repeat("y", 100)
	frame := len(testkit.Frames(refused))
	for name, c := range map[string]struct {
		rooms   []int // of the connections, one by one
		dropped int
	}{
		"each within the first":             {[]int{1, 2, frame - 1}, 1},
		"nothing of it taken":               {[]int{0, 0, 0, 0}, 0},
		"twice only":                        {[]int{1, 0, 1, 0}, 0},
		"what took nothing does not count":  {[]int{1, 0, 1, 0, 1}, 1},
		"another is the first":              {[]int{1, 1, frame + 1, 1}, 0},
		"the other is refused then":         {[]int{1, 1, frame + 1, 1, 1}, 1},
		"it is taken in the end":            {[]int{1, 1, 2 * frame, 0}, 0},
		"it is taken, and nothing after it": {[]int{1, 1, frame, 1, 1}, 0},
		"both":                              {[]int{1, 1, 1, 1, 1, 1}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newFake(t, true, nil)
				require.NoError(t, s.Send(t.Context(), []byte(refused)))
				require.NoError(t, s.Send(t.Context(), []byte(other)))
				for _, room := range c.rooms {
					cutAfter(t, s, room)
				}
				st := s.Stats()
				require.EqualValues(t, c.dropped, st.Undeliverable)
				require.EqualValues(t, c.dropped, st.Dropped)
				require.Equal(t, 2, int(st.Sent)+int(st.Dropped)+st.Queued)
				s.CloseNow(errCut)
			})
		})
	}
}

// A heartbeat that a connection ended within is no message.
func TestHeartbeatIsNotUndeliverable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		require.True(t, s.dialing())
		conn := s.attach(newFakeLink(2), 0)
		time.Sleep(s.cfg.HeartbeatPeriod * 3 / 2) // a heartbeat is being written
		require.NoError(t, s.Send(t.Context(), []byte(refused)))
		conn.End(errCut)
		synctest.Wait()
		<-s.dial.(*fakeDialer).redials
		for range maxSpoiled - 1 {
			cutAfter(t, s, 10)
		}
		require.Zero(t, s.Stats().Undeliverable)
		cutAfter(t, s, 10)
		require.EqualValues(t, 1, s.Stats().Undeliverable)
		s.CloseNow(errCut)
	})
}

// A closing session drops the message, too, flushes what is behind it, and counts exactly.
func TestUndeliverableMessageOfAClosingSession(t *testing.T) {
	for name, end := range graceful {
		for _, behind := range []string{"", "behind"} {
			t.Run(name+behind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, _ := newFake(t, true, nil)
					require.NoError(t, s.Send(t.Context(), []byte(refused)))
					if behind != "" {
						require.NoError(t, s.Send(t.Context(), []byte(behind)))
					}
					end(s)
					synctest.Wait()
					for range maxSpoiled {
						cutAfter(t, s, 10)
					}
					if behind != "" {
						require.True(t, s.dialing())
						link := newFakeLink(unbounded)
						s.attach(link, 0)
						synctest.Wait()
						require.Equal(t, string(testkit.Frames(behind)), string(link.written()))
					}
					require.Equal(t, StateClosed, s.State())
					require.ErrorIs(t, outageWith(t, s, ErrUndeliverable).Err, errCut)
					require.Equal(t, Event{Kind: Closed, Epoch: s.epoch}, last(t, s))
					require.EqualValues(t, 1, s.Stats().Dropped)
				})
			})
		}
	}
}

// outageWith returns the first Disconnected event of that cause.
func outageWith(t *testing.T, s *Session, cause error) Event {
	t.Helper()
	for {
		if ev := outageOf(t, s); errors.Is(ev.Err, cause) {
			return ev
		}
	}
}

// Linger ends a closing session between two of the connections: what is left is told exactly.
func TestLingerBeforeAMessageIsUndeliverable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		require.NoError(t, s.Send(t.Context(), []byte(refused)))
		require.NoError(t, s.Send(t.Context(), []byte("behind")))
		_ = s.Close()
		cutAfter(t, s, 10)
		cutAfter(t, s, 10)
		time.Sleep(2 * s.cfg.Linger)
		ev := last(t, s)
		require.Equal(t, 2, ev.Queued)
		require.ErrorIs(t, ev.Err, ErrLinger)
		require.Zero(t, s.Stats().Dropped)
	})
}

// A message that a policy drops takes its count with it.
func TestDroppedMessageTakesItsCountAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, func(c *Config) { c.WriteBuffer = Sliding(2) })
		require.NoError(t, s.Send(t.Context(), []byte(refused)))
		cutAfter(t, s, 10)
		cutAfter(t, s, 10)
		for _, m := range []string{"second", "third"} { // the first one goes
			require.NoError(t, s.Send(t.Context(), []byte(m)))
		}
		require.EqualValues(t, 1, s.Stats().Dropped)
		cutAfter(t, s, 2)
		cutAfter(t, s, 2)
		require.Zero(t, s.Stats().Undeliverable)
		cutAfter(t, s, 2)
		require.EqualValues(t, 1, s.Stats().Undeliverable)
		require.Equal(t, string(testkit.Frames("third")), cutAfter(t, s, unbounded))
		s.CloseNow(errCut)
	})
}

// Those that wait for room get that of the message that was dropped.
func TestUndeliverableMessageMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, func(c *Config) { c.WriteBuffer = Fixed(1) })
		w := s.WriteChan()
		w <- []byte(refused)
		synctest.Wait()
		w <- []byte("behind")
		synctest.Wait()
		require.Equal(t, 1, s.Stats().Queued)
		for range maxSpoiled {
			cutAfter(t, s, 10)
		}
		require.Equal(t, 1, s.Stats().Queued, "the next has come in")
		require.Equal(t, string(testkit.Frames("behind")), cutAfter(t, s, unbounded))
		s.CloseNow(errCut)
		close(w)
	})
}

// The outage that tells of the message is not left out because nobody has read of it in time; many
// of them are, so that a session that nobody reads stays small.
func TestUnreadOutageOfAnUndeliverableMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		for range 1000 {
			require.NoError(t, s.Send(t.Context(), []byte(refused)))
			for range maxSpoiled {
				cutAfter(t, s, 10)
			}
		}
		s.in.mu.Lock()
		require.Less(t, s.in.queue.size(), 3*maxLifecycle)
		s.in.mu.Unlock()
		require.EqualValues(t, 1000, s.Stats().Undeliverable)
		require.ErrorIs(t, outageOf(t, s).Err, ErrUndeliverable)
		s.CloseNow(errCut)
	})
}
