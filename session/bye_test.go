package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/resume"
)

// A goodbye that is lost with its connection is said again on the next one, so that the peer's session
// does not wait for a dialer that has gone. If the peer had heard it, nothing new begins there.
func TestLostGoodbyeIsSaidAgain(t *testing.T) {
	for _, heard := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			back := &follower{t: t, who: "near"}
			nearConfig, nearConsumes := resumable(t, byRecv, back)
			farConfig, farConsumes := resumable(t, byRecv, back)
			w := newResumeWorld(t, nearConfig, farConfig)
			connections := 0
			w.plan = func() (int, int, bool) {
				if connections++; connections > 1 {
					return unbounded, unbounded, true
				}
				if heard {
					return unbounded, 17 + 5, true // the answer, behind the greeting, is cut
				}
				return 10, unbounded, true // the goodbye is cut
			}
			w.faults = []fault{faultBreak}
			w.work.Go(w.dial)
			far := <-w.accepted
			w.work.Go(func() { nearConsumes(w.near) })
			w.work.Go(func() { farConsumes(far) })
			require.NoError(t, w.near.WaitConnected(t.Context()))
			synctest.Wait() // the greeting would be taken for the answer
			require.NoError(t, w.near.Close())
			<-w.near.Done()
			<-far.Done()
			synctest.Wait()
			require.Empty(t, w.accepted)
			w.stop()
			w.work.Wait()
			require.NoError(t, w.near.cause)
			require.NoError(t, far.cause)
		})
	}
}

// Who only wants to say goodbye, and is told that there is nobody any more, has closed.
func TestGoodbyeToASessionThatIsGone(t *testing.T) {
	s, _ := newFake(t, true, func(c *Config) { c.Resume, c.Unacked = true, Fixed(10) })
	Drive(s).Resumable(0, resume.Keep{})
	_ = Drive(s).Greeting()
	require.NoError(t, Drive(s).Welcomed(&resume.Welcome{Version: 1, Token: []byte("token")}))
	l := newFakeLink(unbounded)
	c := s.attach(l, 0)
	require.NoError(t, s.Close())
	require.Eventually(t, func() bool { return len(l.written()) > 0 }, 10*time.Second, time.Millisecond)
	c.End(errCut)
	require.Equal(t, StateDisconnected, s.State())
	require.True(t, Drive(s).Dialing())
	hello := Drive(s).Greeting()
	require.True(t, hello.Only)
	Drive(s).Refused(resume.RefuseUnknown)
	<-s.Done()
	require.NoError(t, s.cause)
}

// So has who cannot know whether his last messages have arrived, as the acknowledgement of them and of
// the goodbye was lost: a new session would get none of them, and does not begin. They are told as Lost.
// What is to be sent again is.
func TestGoodbyeWithMessagesToASessionThatIsGone(t *testing.T) {
	for _, resend := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			k := connected(t, true, func(c *Config) { c.ResendLost, c.Linger = resend, time.Hour })
			k.sends("one")
			require.NoError(t, k.s.Close())
			require.Equal(t, []string{"one", "B 1"}, k.hears())
			k.cut()
			require.True(t, Drive(k.s).Dialing())
			require.Equal(t, !resend, Drive(k.s).Greeting().Only)
			if resend {
				k.s.CloseNow(nil)
				return
			}
			Drive(k.s).Refused(resume.RefuseUnknown)
			<-k.s.Done()
			ev := k.closed()
			require.NoError(t, ev.Err)
			require.Zero(t, ev.Queued)
			require.EqualValues(t, 1, ev.Lost)
			require.EqualValues(t, 1, accountsAddUp(t, k.s).Lost)
		})
	}
}
