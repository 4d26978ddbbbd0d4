package session

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// untilClosed reads a session to its end.
func untilClosed(t *testing.T, s *Session) (messages int, events []Event) {
	t.Helper()
	for {
		ev := recv(t, s)
		if ev.Kind == Message {
			messages++
			continue
		}
		if events = append(events, ev); ev.Kind == Closed {
			return messages, events
		}
	}
}

// The dialer closes: its peer has received everything, and both have closed. Where the peer says
// nothing, nothing is left; else what may be lost covers what is.
func TestDialerCloses(t *testing.T) {
	for _, answers := range []int{0, 500} {
		synctest.Test(t, func(t *testing.T) {
			w, near, far := pair(t, nil, nil)
			for n := range 500 {
				require.NoError(t, near.Send(t.Context(), sized(n, 3000)))
				if n < answers {
					require.NoError(t, far.Send(t.Context(), sized(n, 3000)))
				}
			}
			require.NoError(t, near.Close())
			received, events := untilClosed(t, far)
			require.Equal(t, 500, received)
			require.Len(t, events, 2)
			require.NoError(t, events[1].Err)
			st := accountsAddUp(t, far)
			answered, events := untilClosed(t, near)
			require.NoError(t, events[len(events)-1].Err)
			require.Zero(t, events[len(events)-1].Queued+int(events[len(events)-1].Lost))
			require.LessOrEqual(t, int(st.Acked), answered)
			require.GreaterOrEqual(t, int(st.Acked+st.Lost), answered)
			accountsAddUp(t, near)
			w.close(far)
		})
	}
}

// The accepted session closes: the dialed one is told of an end, and begins anew. What it had sent and
// was not acknowledged is doubtful, and what had not begun is sent.
func TestPeerOfADialedSessionCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, func(c *Config) { c.Unacked = Buffer{Cap: 3} })
		require.Equal(t, Connected, recv(t, k.s).Kind)
		k.sends("1", "2", "3", "4", "5")
		require.Equal(t, []string{"1", "2", "3"}, k.hears())
		require.NoError(t, k.says(frame("m"), ackOf(1)))
		require.Equal(t, []string{"4"}, k.hears())
		require.NoError(t, k.says(byeOf(1)))
		require.Equal(t, []string{"A 1"}, k.hears(), "and nothing of 5")
		k.c.End(io.EOF)
		require.Equal(t, Message, recv(t, k.s).Kind)
		ev := recv(t, k.s)
		require.Equal(t, Disconnected, ev.Kind)
		require.Equal(t, io.EOF, ev.Err)
		require.Equal(t, 4, ev.Queued)
		require.False(t, Drive(k.s).HasToken())
		k.connect(false, 0)
		ev = recv(t, k.s)
		require.False(t, ev.Resumed)
		require.EqualValues(t, 3, ev.Lost)
		require.Equal(t, []string{"5"}, k.hears())
		accountsAddUp(t, k.s)
		k.end()
	})
}

// The same between two sessions: the count of what is lost is the peer's, too.
func TestAcceptedCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, near, far := pair(t, nil, nil)
		for n := range 500 {
			require.NoError(t, near.Send(t.Context(), sized(n, 100)))
			require.NoError(t, far.Send(t.Context(), sized(n, 100)))
		}
		require.NoError(t, far.Close())
		got, events := untilClosed(t, far)
		require.NoError(t, events[len(events)-1].Err)
		require.Zero(t, events[len(events)-1].Queued+int(events[len(events)-1].Lost))
		again := <-w.accepted
		require.NoError(t, near.Flush(t.Context()))
		synctest.Wait()
		near.CloseNow(nil)
		more, events := untilClosed(t, near)
		require.Equal(t, 500, more)
		require.Equal(t, Disconnected, events[1].Kind)
		require.Equal(t, io.EOF, events[1].Err)
		require.Equal(t, Connected, events[2].Kind)
		require.False(t, events[2].Resumed)
		st := accountsAddUp(t, near)
		require.EqualValues(t, events[2].Lost, st.Lost)
		require.LessOrEqual(t, int(st.Acked), got+int(again.Stats().Received))
		require.GreaterOrEqual(t, int(st.Acked)+int(st.Lost), got+int(again.Stats().Received))
		again.CloseNow(nil)
		w.close(far)
	})
}

// Both close at once: both have, at once, and what may be lost covers what is.
func TestBothClose(t *testing.T) {
	for _, count := range []int{0, 1, 500} {
		for range 50 {
			synctest.Test(t, func(t *testing.T) {
				w, near, far := pair(t, nil, nil)
				for n := range count {
					require.NoError(t, near.Send(t.Context(), sized(n, 3000)))
					require.NoError(t, far.Send(t.Context(), sized(n, 3000)))
				}
				began := time.Now()
				require.NoError(t, near.Close())
				require.NoError(t, far.Close())
				<-near.Done()
				<-far.Done()
				require.Less(t, time.Since(began), time.Second)
				var received [2]int
				for i, s := range []*Session{near, far} {
					var events []Event
					received[i], events = untilClosed(t, s)
					if err := events[len(events)-1].Err; err != nil {
						require.Equal(t, io.EOF, err) // the peer was first
					}
				}
				for len(w.accepted) > 0 { // what had not begun
					received[1] += int((<-w.accepted).Stats().Received)
				}
				for i, s := range []*Session{near, far} {
					st := accountsAddUp(t, s)
					require.LessOrEqual(t, int(st.Acked), received[1-i])
					require.GreaterOrEqual(t, int(st.Acked+st.Lost), received[1-i])
				}
				w.close(far)
			})
		}
	}
}

// A user who closes, and reads no more, does not keep the goodbye from being answered, however much
// comes before the answer.
func TestCloseWithoutReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, near, far := pair(t, func(c *Config) { c.ReadBuffer = Buffer{Cap: 2, Bytes: 1000} }, nil)
		for n := range 500 {
			require.NoError(t, far.Send(t.Context(), sized(n, 1000)))
		}
		synctest.Wait()
		require.NoError(t, near.Send(t.Context(), []byte("the last")))
		began := time.Now()
		require.NoError(t, near.Close())
		<-near.Done()
		require.Less(t, time.Since(began), time.Second)
		_, events := untilClosed(t, near)
		ev := events[len(events)-1]
		require.NoError(t, ev.Err)
		require.Zero(t, ev.Lost)
		w.close(far)
	})
}

// A peer that does not answer: Linger bounds the end, and each message is either queued or lost.
func TestCloseWithoutAnAnswer(t *testing.T) {
	for _, dialed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			k := connected(t, dialed, func(c *Config) { c.Unacked, c.Linger = Buffer{Cap: 3}, 3*time.Second })
			k.sends("1", "2", "3", "4", "5")
			require.Equal(t, []string{"1", "2", "3"}, k.hears())
			require.NoError(t, k.says(ackOf(1)))
			began := time.Now()
			require.NoError(t, k.s.Close())
			<-k.s.Done()
			require.Equal(t, 3*time.Second, time.Since(began))
			ev := k.closed()
			require.ErrorIs(t, ev.Err, ErrLinger)
			require.Equal(t, 1, ev.Queued)
			require.EqualValues(t, 3, ev.Lost)
			require.Equal(t, []string{"4"}, withoutControl(k.hears()))
		})
	}
}

// CloseNow tells what had begun to be sent, and what had not: also of a write that goes on.
func TestCloseNowTellsWhatIsLost(t *testing.T) {
	for cut, lost := range []int{5: 1, 6: 1, 9: 1, 10: 1, 11: 2, 15: 3} {
		if lost == 0 && cut > 0 {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			k := newTalk(t, true, nil)
			k.sends("11", "22", "33") // 6 bytes each
			link := newFakeLink(cut)
			k.connectBy(link, false, 0)
			synctest.Wait()
			ev := k.end()
			require.EqualValues(t, (cut+5)/6, ev.Lost, "after %d bytes", cut)
			require.Equal(t, 3-(cut+5)/6, ev.Queued)
		})
	}
}

// A detached accepted session that closes has closed.
func TestCloseOfADetachedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, false, nil)
		k.sends("1")
		k.hears()
		k.cut()
		k.sends("2")
		began := time.Now()
		require.NoError(t, k.s.Close())
		<-k.s.Done()
		require.Zero(t, time.Since(began))
		ev := k.closed()
		require.NoError(t, ev.Err)
		require.Equal(t, 1, ev.Queued)
		require.EqualValues(t, 1, ev.Lost)
	})
}

// The goodbye is lost with its connection: the dialed session comes back to finish.
func TestGoodbyeIsLost(t *testing.T) {
	for cut := range 120 {
		synctest.Test(t, func(t *testing.T) {
			w, near, far := pair(t, nil, nil)
			w.mu.Lock()
			last := w.last
			w.mu.Unlock()
			last.out.mu.Lock()
			last.out.faultAfter(cut, faultBreak)
			last.out.mu.Unlock()
			for n := range 3 {
				require.NoError(t, near.Send(t.Context(), sized(n, 20)))
			}
			require.NoError(t, near.Close())
			got, events := untilClosed(t, far)
			require.Equal(t, 3, got, "after %d bytes", cut)
			require.NoError(t, events[len(events)-1].Err)
			_, events = untilClosed(t, near)
			ev := events[len(events)-1]
			require.Zero(t, ev.Queued+int(ev.Lost), "after %d bytes: %+v", cut, ev)
			w.close(far)
		})
	}
}

// A goodbye that was lost is said again on a connection that is on trial first: Close does not take all of
// Linger.
func TestGoodbyeIsSaidAfterATrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, func(c *Config) { c.AwaitPeer = true })
		require.NoError(t, k.says(ackOf(0)))
		began := time.Now()
		require.NoError(t, k.s.Close())
		require.Equal(t, []string{"B 0"}, k.hears())
		k.cut()
		k.connect(true, 0)
		synctest.Wait()
		require.NoError(t, k.says(ackOf(0)))
		require.Equal(t, []string{"B 0"}, k.hears())
		require.NoError(t, k.says(ackOf(0)))
		require.NoError(t, k.closed().Err)
		require.Zero(t, time.Since(began))
	})
}
