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
