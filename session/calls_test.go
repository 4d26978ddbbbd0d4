package session

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// sendNumbered sends messages, and wants them to have the numbers from first on.
func sendNumbered(t *testing.T, s *Session, first uint64, messages ...string) {
	t.Helper()
	for i, m := range messages {
		number, err := Drive(s).SendNumbered(t.Context(), []byte(m))
		require.NoError(t, err)
		require.Equal(t, first+uint64(i), number)
	}
}

// goneIs wants what Gone tells.
func goneIs(t *testing.T, s *Session, epoch, number uint64) {
	t.Helper()
	e, n := Drive(s).Gone()
	require.Equal(t, [2]uint64{epoch, number}, [2]uint64{e, n}, "epoch, number")
}

// Messages have the numbers 1, 2, 3 over all connections, whichever way they are sent, and those that are not
// accepted have none.
func TestNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer := newFake(t, true, func(c *Config) { c.WriteBuffer = Fixed(3) })
		d := Drive(s)
		_, err := d.TrySendNumbered([]byte("m"))
		require.Equal(t, ErrNotConnected, err)
		sendNumbered(t, s, 1, "a")
		send(t, s, "b")
		require.True(t, s.dialing())
		conn := s.attach(newFakeLink(0), 0)
		number, err := d.TrySendNumbered([]byte("c"))
		require.NoError(t, err)
		require.EqualValues(t, 3, number)
		_, err = d.TrySendNumbered([]byte("d"))
		require.Equal(t, ErrQueueFull, err)
		_, err = d.TrySendNumbered(nil)
		require.Equal(t, ErrEmptyMessage, err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = d.SendNumbered(ctx, []byte("d"))
		require.Equal(t, context.Canceled, err)
		conn.link.(*fakeLink).allow(unbounded)
		synctest.Wait()
		sendNumbered(t, s, 4, "d")
		conn.End(errCut)
		<-dialer.redials
		_, err = d.TrySendNumbered([]byte("m"))
		require.Equal(t, ErrNotConnected, err)
		sendNumbered(t, s, 5, "e")
		s.CloseNow(nil)
		_, err = d.TrySendNumbered([]byte("m"))
		require.Equal(t, ErrClosed, err)
		_, err = d.SendNumbered(t.Context(), []byte("m"))
		require.Equal(t, ErrClosed, err)
	})
}

// Of a plain session what was wholly sent on a connection is gone with it, and what was given up within it;
// all else goes on. What was never sent is behind the number when the session closes.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		goneIs(t, s, 0, 0)
		sendNumbered(t, s, 1, "1", "2", "3")
		s.dialing()
		s.dialFailed(errCut)
		goneIs(t, s, 0, 0)
		cutAfter(t, s, 5+4) // each frame has 5 bytes: the second is not whole
		goneIs(t, s, 1, 1)
		cutAfter(t, s, 10)
		goneIs(t, s, 2, 3)
		cutAfter(t, s, 0)
		goneIs(t, s, 3, 3)
		sendNumbered(t, s, 4, refused, "5")
		for epoch := range uint64(3) {
			goneIs(t, s, 3+epoch, 3)
			cutAfter(t, s, 10)
		}
		goneIs(t, s, 6, 4)
		s.CloseNow(nil)
		goneIs(t, s, 6, 4)
	})
}

// With WhileDown: Refuse nothing waits for the next connection, and all is behind.
func TestGoneWhenHandedBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := refusing(t)
		s.dialing()
		conn := s.attach(newFakeLink(5), 0)
		sendNumbered(t, s, 1, "1", "2", "3")
		synctest.Wait()
		conn.End(errCut)
		synctest.Wait()
		goneIs(t, s, 1, 3)
		require.Equal(t, payloads("2", "3"), outageOf(t, s).Unsent)
		s.CloseNow(nil)
	})
}

// With Resume nothing is gone as long as the session goes on. When it does not, that is what had begun to be
// sent, unless it is sent again.
func TestGoneWithResume(t *testing.T) {
	for _, resend := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			k := newTalk(t, true, func(c *Config) { c.ResendLost = resend })
			sendNumbered(t, k.s, 1, "11", "22", "33")
			k.connectBy(newFakeLink(6+1), false, 0)
			synctest.Wait()
			goneIs(t, k.s, 0, 0)
			require.NoError(t, k.says(ackOf(1)))
			k.cut()
			goneIs(t, k.s, 0, 0)
			k.connectBy(newFakeLink(6+1), true, 1)
			synctest.Wait()
			k.cut()
			goneIs(t, k.s, 0, 0)
			k.connect(false, 0)
			want := uint64(3) // the third had begun, too
			if resend {
				want = 1
			}
			goneIs(t, k.s, 2, want)
			sendNumbered(t, k.s, 4, "44")
			synctest.Wait()
			k.cut()
			goneIs(t, k.s, 2, want)
			sendNumbered(t, k.s, 5, "55")
			k.s.CloseNow(nil)
			goneIs(t, k.s, 3, 4)
		})
	}
}

// A session that does not keep to the rules loses its connection, and no other. A plain accepted one ends.
func TestReject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		link := newFakeLink(unbounded)
		s.attach(link, 0)
		Drive(s).Reject(1, errCut)
		require.Equal(t, Connected, recv(t, s).Kind)
		ev := recv(t, s)
		require.Equal(t, Closed, ev.Kind)
		require.ErrorIs(t, ev.Err, errCut)
		require.Equal(t, ReasonProtocol, reasonOf(ev.Err))
		require.True(t, link.closed)
		Drive(s).Reject(1, errCut)

		s, dialer := newFake(t, true, nil)
		s.dialing()
		first := newFakeLink(unbounded)
		s.attach(first, 0)
		Drive(s).Reject(1, errCut)
		require.ErrorIs(t, outageOf(t, s).Err, errCut)
		require.True(t, first.closed)
		<-dialer.redials
		s.dialing()
		Drive(s).Reject(1, errCut)
		second := newFakeLink(unbounded)
		s.attach(second, 0)
		Drive(s).Reject(1, errCut)
		require.Equal(t, StateConnected, s.State(), "that was the one before")
		require.False(t, second.closed)
		s.CloseNow(nil)
	})
}

// With Resume a peer's messages may be read when its next connection is there: that ends, too, and the session
// does not go on. An accepted one ends, also without a connection.
func TestRejectWithResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, dialed := range []bool{true, false} {
			for _, when := range []string{"connected", "moved", "down"} {
				k := connected(t, dialed, nil)
				if when != "connected" {
					k.cut()
				}
				if when == "moved" {
					k.connect(true, 0)
				}
				Drive(k.s).Reject(1, errCut)
				synctest.Wait()
				require.True(t, k.link.closed)
				if !dialed {
					require.Equal(t, StateClosed, k.s.State(), when)
					require.ErrorIs(t, k.s.cause, errCut)
					continue
				}
				require.Equal(t, StateDisconnected, k.s.State())
				require.False(t, Drive(k.s).Greeting().Continue)
				k.s.CloseNow(nil)
			}
		}
	})
}

// What a Peer asks of a session before it begins.
func TestWhatASessionIs(t *testing.T) {
	s, _ := newFake(t, true, func(c *Config) { c.MaxPayload = 77 })
	d := Drive(s)
	require.False(t, d.Resumes() || d.CallsBack() || d.Lossy() || d.Refuses())
	require.Equal(t, 77, d.MaxPayload())
	for _, change := range []func(*Config){
		func(c *Config) { c.ReadBuffer = Sliding(1) }, func(c *Config) { c.WriteBuffer = Dropping(1) },
	} {
		s, _ = newFake(t, true, change)
		require.True(t, Drive(s).Lossy())
	}
	s, _ = newFake(t, true, func(c *Config) { c.OnEvent = func(*Session, Event) {} })
	require.True(t, Drive(s).CallsBack())
	s, _ = refusing(t)
	require.True(t, Drive(s).Refuses())
	require.True(t, Drive(newTalk(t, true, nil).s).Resumes())
}
