package session

import (
	"math"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/resume"
)

// The peer has started anew: what had begun to be sent and was not acknowledged is lost, and told, and
// what had not comes first. A cut comes after each byte of three messages.
func TestPeerStartsAnew(t *testing.T) {
	for cut := range 3*6 + 1 {
		for _, resend := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				k := newTalk(t, true, func(c *Config) { c.ResendLost = resend })
				k.sends("11", "22", "33")
				k.connectBy(newFakeLink(cut), false, 0)
				recv(t, k.s)
				k.hears()
				acked := 0
				if cut >= 6 {
					require.NoError(t, k.says(ackOf(1)))
					acked = 1
				}
				k.cut()
				k.sends("44")
				require.Equal(t, Disconnected, recv(t, k.s).Kind)
				k.connect(false, 0)
				ev := recv(t, k.s)
				begun := (cut+5)/6 - acked
				require.False(t, ev.Resumed)
				require.EqualValues(t, begun, ev.Lost, "after %d bytes", cut)
				all := []string{"11", "22", "33", "44"}[acked:]
				if !resend {
					all = all[begun:]
				}
				require.Equal(t, all, k.hears(), "after %d bytes", cut)
				require.NoError(t, k.says(ackOf(uint64(len(all)))))
				st := accountsAddUp(t, k.s)
				require.EqualValues(t, len(all)+acked, st.Acked)
				require.EqualValues(t, 4, st.Acked+st.Lost)
				k.end()
			})
		}
	}
}

// What is received is counted anew, too.
func TestCountsBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, nil)
		require.NoError(t, k.says(messages(3)))
		k.cut()
		require.EqualValues(t, 3, k.connect(true, 0))
		require.NoError(t, k.says(frame("m"), question()))
		require.Equal(t, []string{"A 4"}, k.hears())
		k.cut()
		k.connect(false, 0)
		require.NoError(t, k.says(frame("m"), question()))
		require.Equal(t, []string{"A 1"}, k.hears())
		k.cut()
		require.EqualValues(t, 1, k.connect(true, 0))
		k.end()
	})
}

// What is lost by several peers that start anew before a connection comes about is told by that.
func TestPeersStartAnewInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, func(c *Config) { c.AwaitPeer = true })
		require.NoError(t, k.says(ackOf(0))) // the trial is over
		recv(t, k.s)
		k.sends("1", "2")
		k.hears()
		k.cut()
		k.sends("3")
		recv(t, k.s)
		k.connect(false, 0) // a trial, which fails
		require.Empty(t, k.hears())
		k.cut()
		k.connect(false, 0)
		require.NoError(t, k.says(ackOf(0)))
		ev := recv(t, k.s)
		require.Equal(t, Connected, ev.Kind)
		require.False(t, ev.Resumed)
		require.EqualValues(t, 2, ev.Lost)
		require.Equal(t, []string{"3"}, k.hears())
		accountsAddUp(t, k.s)
		k.end()
	})
}

// A Welcome that cannot be true is believed no more: the next Greeting knows no token, and has another
// nonce, and so the fault does not come back.
func TestImplausibleWelcome(t *testing.T) {
	for _, received := range []uint64{0, 4, 1 << 63, math.MaxUint64} {
		synctest.Test(t, func(t *testing.T) {
			k := connected(t, true, nil)
			recv(t, k.s)
			k.sends("1", "2", "3")
			k.hears()
			require.NoError(t, k.says(ackOf(1)))
			k.cut()
			k.sends("4")
			require.Equal(t, Disconnected, recv(t, k.s).Kind)
			d := Drive(k.s)
			require.True(t, d.Dialing())
			before := d.Greeting()
			require.True(t, before.Continue)
			err := d.Welcomed(&resume.Welcome{Version: 1, Continued: true, Received: received, Token: []byte("token")})
			require.ErrorIs(t, err, ErrBadAck)
			d.DialFailed(err)
			require.False(t, d.HasToken())
			require.True(t, d.Dialing())
			after := d.Greeting()
			require.False(t, after.Continue)
			require.Empty(t, after.Token)
			require.NotEqual(t, before.Nonce, after.Nonce)
			require.Zero(t, after.Received)
			require.NotZero(t, after.Number)
			err = d.Welcomed(&resume.Welcome{Version: 1, Continued: true, Token: []byte("token")})
			require.ErrorIs(t, err, ErrBadAck, "continued, and we did not ask for that")
			d.DialFailed(err)
			k.connect(false, 0)
			ev := recv(t, k.s)
			require.False(t, ev.Resumed)
			require.EqualValues(t, 2, ev.Lost)
			require.Equal(t, []string{"4"}, k.hears())
			accountsAddUp(t, k.s)
			k.end()
		})
	}
}

// With ResendLost nothing is lost however often the peer starts anew, and the window may be full.
func TestResendLostAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, func(c *Config) { c.ResendLost, c.Unacked = true, Buffer{Cap: 2} })
		k.sends("1", "2", "3", "4")
		for range 5 {
			require.Equal(t, []string{"1", "2"}, k.hears())
			k.cut()
			k.connect(false, 0)
		}
		require.Equal(t, []string{"1", "2"}, k.hears())
		require.NoError(t, k.says(ackOf(2)))
		require.Equal(t, []string{"3", "4"}, k.hears())
		require.Zero(t, accountsAddUp(t, k.s).Lost)
		k.end()
	})
}

// The peer has started anew, and the session closes before its user is told: Closed counts each message
// once.
func TestClosedBeforeANewPeerIsTold(t *testing.T) {
	for _, resend := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			k := connected(t, true, func(c *Config) { c.ResendLost, c.AwaitPeer = resend, true })
			require.NoError(t, k.says(ackOf(0)))
			k.sends("1", "2")
			k.hears()
			k.cut()
			k.sends("3")
			k.connect(false, 0) // a trial, which fails
			k.cut()
			ev := k.end()
			require.Equal(t, 3, ev.Queued+int(ev.Lost))
			require.Equal(t, 3, Drive(k.s).Unsent())
		})
	}
}
