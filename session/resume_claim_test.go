package session

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/resume"
)

// An accepted session whose peer does not come back ends, and tells what it holds.
func TestExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, false, nil)
		require.False(t, Drive(k.s).Expire(nil), "connected")
		k.sends("1", "2", "3")
		require.Len(t, k.hears(), 3)
		require.NoError(t, k.says(ackOf(1)))
		k.cut()
		k.sends("4")
		require.True(t, Drive(k.s).Expire(nil))
		ev := k.closed()
		require.ErrorIs(t, ev.Err, ErrResumeExpired)
		require.Equal(t, 1, ev.Queued)
		require.EqualValues(t, 2, ev.Lost)
		require.False(t, Drive(k.s).Expire(nil), "closed")
		_, err := Drive(k.s).Claim(t.Context(), 2, 3, k.keep)
		require.ErrorIs(t, err, resume.ErrGone)
	})
}

// The end of the window and a Claim come at once: one of them is first.
func TestExpireAndClaimAtOnce(t *testing.T) {
	won := map[bool]int{}
	for range 2000 {
		synctest.Test(t, func(t *testing.T) {
			k := connected(t, false, nil)
			k.sends("1")
			k.hears()
			k.cut()
			expired := make(chan bool)
			go func() { expired <- Drive(k.s).Expire(nil) }()
			_, err := Drive(k.s).Claim(t.Context(), 2, 1, k.keep)
			if <-expired {
				require.ErrorIs(t, err, resume.ErrGone)
				require.ErrorIs(t, k.closed().Err, ErrResumeExpired)
				won[true]++
				return
			}
			require.NoError(t, err)
			k.attach(newFakeLink(unbounded), 2)
			k.end()
			won[false]++
		})
	}
	t.Log(won)
}

// A Claim that is given up leaves the session to wait for another one, and arms the window.
func TestUnclaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, false, nil)
		k.cut()
		require.Len(t, k.dialer.redials, 1)
		_, err := Drive(k.s).Claim(t.Context(), 2, 0, k.keep)
		require.NoError(t, err)
		require.Equal(t, StateConnecting, k.s.State())
		require.False(t, Drive(k.s).Expire(nil), "a connection is on its way")
		Drive(k.s).Unclaim(1, errCut) // of another one
		require.Equal(t, StateConnecting, k.s.State())
		Drive(k.s).Unclaim(2, errCut)
		require.Equal(t, StateDisconnected, k.s.State())
		require.Len(t, k.dialer.redials, 2)
		require.Nil(t, Drive(k.s).Attach(newFakeLink(0), 2), "given up")
		k.number = 2
		k.connect(true, 0)
		Drive(k.s).Unclaim(3, errCut) // too late
		require.Equal(t, StateConnected, k.s.State())
		k.end()
	})
}

// Numbers have to grow, and what is stale disturbs nothing.
func TestStaleClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, false, nil)
		for _, number := range []uint64{0, 1} {
			_, err := Drive(k.s).Claim(t.Context(), number, 0, k.keep)
			require.ErrorIs(t, err, resume.ErrStale)
		}
		require.Equal(t, StateConnected, k.s.State())
		k.cut()
		for number := uint64(2); number < 5; number++ { // each takes the session from the one before
			_, err := Drive(k.s).Claim(t.Context(), number, 0, k.keep)
			require.NoError(t, err)
			require.Nil(t, Drive(k.s).Attach(newFakeLink(0), number-1))
			Drive(k.s).Unclaim(number-1, errCut)
			require.Equal(t, StateConnecting, k.s.State())
		}
		k.attach(newFakeLink(unbounded), 4)
		k.end()
	})
}

// A Claim waits for the writer of the connection before it, and gives way to a later one meanwhile.
func TestClaimWaitsForTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t, false, nil)
		link := &stuckLink{fakeLink: newFakeLink(unbounded), may: make(chan bool)}
		k.c = Drive(k.s).Attach(link, 1)
		go func() { _ = k.s.Send(t.Context(), []byte("1")) }()
		synctest.Wait()
		claim := func(ctx context.Context, number uint64) chan error {
			claimed := make(chan error, 1)
			go func() {
				_, err := Drive(k.s).Claim(ctx, number, 0, k.keep)
				claimed <- err
			}()
			synctest.Wait()
			return claimed
		}
		first := claim(t.Context(), 2)
		require.Empty(t, first)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		second := claim(short, 3)
		require.ErrorIs(t, <-first, resume.ErrStale)
		require.ErrorIs(t, <-second, context.DeadlineExceeded)
		third, fourth := claim(t.Context(), 4), claim(t.Context(), 5)
		require.ErrorIs(t, <-third, resume.ErrStale)
		link.may <- true
		require.NoError(t, <-fourth)
		require.Nil(t, Drive(k.s).Attach(newFakeLink(0), 4))
		k.attach(newFakeLink(unbounded), 5)
		require.Equal(t, []string{"1"}, k.hears())
		k.end()
	})
}

// stuckLink is one whose Write returns when it may, whoever closes it.
type stuckLink struct {
	*fakeLink
	may chan bool
}

func (l *stuckLink) Write([][]byte, bool) (int, error) {
	<-l.may
	return 0, errCut
}

// Close while a Claim waits, or has the session.
func TestCloseDuringClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, false, nil)
		k.sends("1")
		k.hears()
		k.cut()
		_, err := Drive(k.s).Claim(t.Context(), 2, 0, k.keep)
		require.NoError(t, err)
		require.NoError(t, k.s.Close())
		<-k.s.Done()
		require.Nil(t, Drive(k.s).Attach(newFakeLink(0), 2))
		require.Equal(t, 1, k.closed().Queued, "the peer has said that it does not have it")
	})
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t, false, nil)
		link := &stuckLink{fakeLink: newFakeLink(unbounded), may: make(chan bool)}
		k.c = Drive(k.s).Attach(link, 1)
		go func() { _ = k.s.Send(t.Context(), []byte("1")) }()
		synctest.Wait()
		claimed := make(chan error, 1)
		go func() {
			_, err := Drive(k.s).Claim(t.Context(), 2, 0, k.keep)
			claimed <- err
		}()
		synctest.Wait()
		require.NoError(t, k.s.Close())
		require.ErrorIs(t, <-claimed, resume.ErrGone)
		link.may <- true
		<-k.s.Done()
		k.closed()
	})
}

// Claims at once: the one with the largest number has the session, and others are told so.
func TestClaimsAtOnce(t *testing.T) {
	for range 1000 {
		synctest.Test(t, func(t *testing.T) {
			k := connected(t, false, nil)
			k.sends("1", "2", "3")
			k.hears()
			const claims = 6
			results := make(chan error, claims)
			for i := range claims {
				go func() {
					_, err := Drive(k.s).Claim(t.Context(), uint64(2+i), 2, k.keep)
					if i == claims-1 {
						require.NoError(t, err)
					}
					results <- err
				}()
			}
			for range claims {
				if err := <-results; err != nil {
					require.ErrorIs(t, err, resume.ErrStale)
				}
			}
			k.attach(newFakeLink(unbounded), claims+1)
			require.Equal(t, []string{"3"}, k.hears())
			k.end()
		})
	}
}

// A peer that cannot have received what it says.
func TestImplausibleClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, false, nil)
		k.sends("1", "2")
		k.hears()
		require.NoError(t, k.says(ackOf(1)))
		k.cut()
		for i, received := range []uint64{0, 3, 1 << 63} {
			_, err := Drive(k.s).Claim(t.Context(), uint64(2+i), received, k.keep)
			require.ErrorIs(t, err, resume.ErrImplausible)
		}
		k.s.CloseNow(ErrBadAck) // as engines do
		ev := k.closed()
		require.ErrorIs(t, ev.Err, ErrBadAck)
		require.EqualValues(t, 1, ev.Lost)
	})
}

// Who has made a session for a connection that does not come about ends it, unless a later connection
// has claimed it meanwhile.
func TestAbandon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t, false, nil)
		_, err := Drive(k.s).Claim(t.Context(), 2, 0, k.keep)
		require.NoError(t, err)
		require.False(t, Drive(k.s).Abandon(1, errCut))
		k.attach(newFakeLink(unbounded), 2)
		require.False(t, Drive(k.s).Abandon(1, errCut))
		require.Equal(t, StateConnected, k.s.State())
		require.True(t, Drive(k.s).Abandon(2, errCut))
		require.Equal(t, StateClosed, k.s.State())
	})
}
