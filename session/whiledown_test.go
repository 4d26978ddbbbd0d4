package session

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// refusing returns a dialed session that refuses messages while it has no connection.
func refusing(t testing.TB, more ...func(*Config)) (*Session, *fakeDialer) {
	return newFake(t, true, func(c *Config) {
		c.WhileDown = Refuse
		for _, change := range more {
			change(c)
		}
	})
}

// expectRefused wants every way to send to say that there is no connection.
func expectRefused(t *testing.T, s *Session) {
	t.Helper()
	require.Equal(t, ErrNotConnected, s.Send(t.Context(), []byte("m")))
	require.Equal(t, ErrNotConnected, s.TrySend([]byte("m")))
	n, err := s.SendBatch(t.Context(), payloads("m"))
	require.Equal(t, ErrNotConnected, err)
	require.Zero(t, n)
	require.NoError(t, s.Flush(t.Context()), "there is nothing")
	require.Zero(t, s.Stats().Queued)
}

// Without a connection nothing is accepted: before the first, before the peer was heard, between
// connections, and what WriteChan gets is counted.
func TestRefuseWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer := refusing(t, func(c *Config) { c.AwaitPeer = true })
		expectRefused(t, s)
		s.dialing()
		expectRefused(t, s)
		s.dialFailed(errCut)
		expectRefused(t, s)
		require.Equal(t, Event{Kind: Disconnected, Err: errCut}, recv(t, s))
		s.dialing()
		link := newFakeLink(unbounded)
		conn := s.attach(link, 0)
		expectRefused(t, s)
		out := s.WriteChan()
		out <- []byte("too early")
		synctest.Wait()
		require.EqualValues(t, 1, s.Stats().Discarded)
		_, _, err := conn.Feed(testkit.Frames(""), false)
		require.NoError(t, err)
		send(t, s, "m")
		out <- []byte("n")
		require.NoError(t, s.Flush(t.Context()))
		require.Equal(t, testkit.Frames("m", "n"), link.written())
		conn.End(errCut)
		<-dialer.redials
		expectRefused(t, s)
		for range 3 * maxSlots {
			out <- []byte("late")
		}
		synctest.Wait()
		require.EqualValues(t, 1+3*maxSlots, s.Stats().Discarded)
		require.NoError(t, s.Close())
		synctest.Wait()
		require.Equal(t, StateClosed, s.State(), "at once")
		require.Equal(t, ErrClosed, s.TrySend([]byte("m")))
		require.NoError(t, s.Flush(t.Context()))
	})
}

// At every byte where a connection can break: what was not wholly written is handed back, in order
// and as it was, and goes out on no other connection.
func TestHandBackAtEveryByte(t *testing.T) {
	large := string(bytes.Repeat([]byte("x"), copyLimit+1)) // goes by reference
	messages := []string{"one", "two", large, "three", large}
	all := testkit.Frames(messages...)
	for cut := range len(all) {
		if cut > 20 && cut < len(all)-12 && cut%1000 != 0 {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			s, dialer := refusing(t)
			s.dialing()
			first := newFakeLink(cut)
			conn := s.attach(first, 0)
			require.Equal(t, Connected, recv(t, s).Kind)
			time.Sleep(time.Millisecond)
			n, err := s.SendBatch(t.Context(), payloads(messages...))
			require.NoError(t, err)
			require.Equal(t, len(messages), n)
			flushed := waiting(t.Context(), s.Flush)
			require.Equal(t, string(all[:cut]), string(first.written()))
			conn.End(errCut)
			require.Equal(t, ErrNotConnected, <-flushed)
			whole, rest := 0, all
			for whole < len(messages) && len(all)-len(rest)+4+len(messages[whole]) <= cut {
				rest = rest[4+len(messages[whole]):]
				whole++
			}
			ev := recv(t, s)
			require.Equal(t, Event{Kind: Disconnected, Err: errCut, Epoch: 1, Unsent: payloads(messages[whole:]...)}, ev)
			for i, m := range ev.Unsent {
				_ = append(m, "scribble"...)
				require.Equal(t, messages[whole+i], string(m))
			}
			st := s.Stats()
			require.EqualValues(t, whole, st.Sent)
			require.EqualValues(t, len(messages)-whole, st.Returned)
			require.Zero(t, st.Queued)
			<-dialer.redials
			s.dialing()
			second := newFakeLink(unbounded)
			s.attach(second, 0)
			send(t, s, "new")
			require.NoError(t, s.Flush(t.Context()))
			require.Equal(t, testkit.Frames("new"), second.written())
			for i, m := range ev.Unsent {
				require.Equal(t, messages[whole+i], string(m), "memory that is used again")
			}
			s.CloseNow(nil)
		})
	}
}

// A Send that waits for room when the connection breaks is told, and all that wait are.
func TestWaitingSendersLearnOfTheBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := refusing(t, func(c *Config) { c.WriteBuffer = Fixed(1) })
		s.dialing()
		conn := s.attach(newFakeLink(0), 0)
		send(t, s, "kept")
		got := make(chan error, 5)
		for range cap(got) {
			go func() { got <- s.Send(context.Background(), []byte("m")) }()
		}
		out := s.WriteChan()
		out <- []byte("m")
		synctest.Wait()
		require.Empty(t, got)
		conn.End(errCut)
		for range cap(got) {
			require.Equal(t, ErrNotConnected, <-got)
		}
		synctest.Wait()
		require.EqualValues(t, 1, s.Stats().Discarded)
		require.EqualValues(t, 1, s.Stats().Returned)
		s.CloseNow(nil)
	})
}

// What a closing session had to send comes back with its last event, whether it is cut off, or its
// connection breaks while it flushes.
func TestHandBackAtTheEnd(t *testing.T) {
	for name, end := range map[string]func(*Session, *Conn){
		"CloseNow": func(s *Session, _ *Conn) { s.CloseNow(errCut) },
		"Close, and Linger ends": func(s *Session, _ *Conn) {
			_ = s.Close()
			time.Sleep(2 * s.cfg.Linger)
		},
		"Close, and a loss": func(s *Session, c *Conn) {
			_ = s.Close()
			c.End(errCut)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := refusing(t)
				s.dialing()
				conn := s.attach(newFakeLink(5), 0)
				send(t, s, "a", "b", "c")
				flushed := waiting(t.Context(), s.Flush)
				end(s, conn)
				<-s.Done()
				var unsent []string
				for ev := range s.Events(t.Context()) {
					require.Zero(t, ev.Queued)
					for _, m := range ev.Unsent {
						unsent = append(unsent, string(m))
					}
				}
				require.Equal(t, []string{"b", "c"}, unsent)
				require.Error(t, <-flushed)
				st := s.Stats()
				require.EqualValues(t, 1, st.Sent)
				require.EqualValues(t, 2, st.Returned)
				require.Zero(t, st.Queued)
			})
		})
	}
}

// A user who reads no events has no more waiting for him than four write buffers hold, and one event's
// worth; the account stays right, and few events are left however many connections there were.
func TestHandedBackAndUnread(t *testing.T) {
	for _, channel := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, dialer := refusing(t, func(c *Config) { c.WriteBuffer = Fixed(10) })
			if channel {
				s.ReadChan()
			}
			const connections, each = 300, 3
			for n := range connections {
				s.dialing()
				conn := s.attach(newFakeLink(0), 0)
				for range each {
					send(t, s, strconv.Itoa(n))
				}
				conn.End(errCut)
				<-dialer.redials
			}
			s.CloseNow(nil)
			synctest.Wait()
			st := s.Stats()
			require.EqualValues(t, connections*each, st.Returned+st.Dropped)
			events, unsent := 0, 0
			last := ""
			for ev := range s.Events(t.Context()) {
				events++
				unsent += len(ev.Unsent)
				if len(ev.Unsent) > 0 {
					last = string(ev.Unsent[0])
				}
			}
			require.Equal(t, strconv.Itoa(connections-1), last, "the newest are kept")
			require.EqualValues(t, st.Returned, unsent)
			if !channel {
				require.LessOrEqual(t, unsent, 10*unreadBuffers+each)
				require.Less(t, events, 2*(10*unreadBuffers/each+3))
			}
		})
	}
}

// Sending beside connections that come and go: each message is sent, queued, handed back, or dropped
// since the reader fell behind, once.
func TestAccountOfRefused(t *testing.T) {
	s, dialer := refusing(t, func(c *Config) { c.HeartbeatTimeout, c.WriteBuffer = time.Hour, Fixed(8) })
	var accepted, refused, unsent uint64
	read := make(chan struct{})
	go func() {
		defer close(read)
		for ev := range s.Events(context.Background()) {
			unsent += uint64(len(ev.Unsent))
		}
	}()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for {
			err := s.Send(context.Background(), []byte("message"))
			switch {
			case err == nil:
				accepted++
			case errors.Is(err, ErrNotConnected):
				refused++
				time.Sleep(10 * time.Microsecond)
			default:
				return
			}
		}
	}()
	for n := range 500 {
		s.dialing()
		link := newFakeLink(n * 7 % 500)
		conn := s.attach(link, 0)
		link.awaitFull()
		conn.End(errCut)
		<-dialer.redials
	}
	s.CloseNow(nil)
	<-sent
	<-read
	st := s.Stats()
	require.Equal(t, accepted, st.Sent+uint64(st.Queued)+st.Returned+st.Dropped)
	require.Equal(t, unsent, st.Returned)
	t.Log(accepted, refused, unsent, st.Dropped)
}

// awaitFull waits until the link has taken all that it takes.
func (l *fakeLink) awaitFull() {
	for full := false; !full; time.Sleep(time.Microsecond) {
		l.mu.Lock()
		full = l.room == 0
		l.mu.Unlock()
	}
}
