package engine

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/session"
)

// A session that was closed is not found, and a new one begins.
func TestSessionThatIsOver(t *testing.T) {
	onStage(t, ListenOptions{Resume: true}, func(t *stage) {
		c := t.client(1)
		p, w := c.enters()
		t.accepted().CloseNow(nil)
		go p.swallow()
		c.holds(w)
		_, w = c.enters()
		require.False(t, w.Continued)
		require.NotNil(t, t.accepted())
		t.knows(1)
	})
}

// A token that was made for an earlier connection does not take the place of a later one's.
func TestTokensComeInOrder(t *testing.T) {
	r := &resumption{host: new(host), nonce: resume.Nonce{1}}
	_, ok := r.issue(2)
	require.True(t, ok)
	token, ok := r.issue(3)
	require.True(t, ok)
	for _, late := range []uint64{0, 1, 2, 3} {
		_, ok = r.issue(late)
		require.False(t, ok)
	}
	found, byToken := r.host.resumptions.find(&resume.Hello{Token: token})
	require.Same(t, r, found)
	require.True(t, byToken)
	require.Len(t, r.host.resumptions.byToken, 1)
	r.Stop()
	require.Empty(t, r.host.resumptions.byToken)
	require.Empty(t, r.host.resumptions.byNonce)
	_, ok = r.issue(4)
	require.False(t, ok, "the session has closed")
}

// A claim that is noticed late does not end a waiting that has begun after a later one.
func TestClaimsComeInOrder(t *testing.T) {
	h := new(host)
	r := &resumption{host: h, row: &absences{limit: 1}, window: time.Hour}
	r.Redial(true, nil)
	r.claimed(2)
	require.Zero(t, h.resumptions.count())
	r.Redial(true, nil)
	r.claimed(1)
	require.Equal(t, 1, h.resumptions.count())
	r.claimed(3)
	require.Zero(t, h.resumptions.count())
	r.Redial(true, nil)
	r.Stop()
	require.Zero(t, h.resumptions.count())
	r.Redial(true, nil)
	require.Zero(t, h.resumptions.count(), "the session has closed")
	h.work.Wait()
}

// A full listener tells who wants a new session, and lets in whose session has a place.
func TestResumeAtMaxSessions(t *testing.T) {
	onStage(t, ListenOptions{Resume: true, MaxSessions: 1}, func(t *stage) {
		c := t.client(1)
		p, w := c.enters()
		t.accepted()
		c.proves(p)
		full := t.client(2).dial()
		require.Empty(t, full.mustRead().payload)
		_, r, err := resume.ParseAnswer([]byte(full.mustRead().payload))
		require.NoError(t, err)
		require.Equal(t, resume.RefuseFull, r.Code)
		synctest.Wait()
		require.EqualValues(t, 1, t.e.Stats().RefusedBy.MaxSessions)
		require.NoError(t, p.Close())
		c.holds(w)
		_, w = c.enters()
		require.True(t, w.Continued)
	})
}

// A session expires when its window is over, to the instant, with an error that says so; also one whose
// peer was never heard: that may know its session, and has sent what was lost with the connection.
func TestResumeWindow(t *testing.T) {
	for _, c := range []struct{ window, want time.Duration }{
		{0, DefaultResumeWindow}, {30 * time.Minute, 30 * time.Minute}, {time.Second, time.Second},
	} {
		for _, heard := range []bool{true, false} {
			onStage(t, ListenOptions{Resume: true, ResumeWindow: c.window}, func(t *stage) {
				cl := t.client(1)
				p, _ := cl.enters()
				s := t.accepted()
				mustEvent(t, s, session.Connected)
				if heard {
					cl.proves(p)
				}
				require.NoError(t, p.Close())
				synctest.Wait()
				mustEvent(t, s, session.Disconnected)
				lost := time.Now()
				require.ErrorIs(t, mustRecv(t.T, s).Err, session.ErrResumeExpired)
				require.Equal(t, c.want, time.Since(lost))
				t.knows(0)
				require.Zero(t, t.e.Stats().Detached)
				require.Zero(t, t.ln.absent.row.Len()+t.ln.absent.new.Len())
			})
		}
	}
}

// Who has been without a connection for longest goes first when there are more than MaxDetached.
func TestMaxDetached(t *testing.T) {
	onStage(t, ListenOptions{Resume: true, MaxDetached: 2}, func(t *stage) {
		var sessions []*session.Session
		for i := range 5 {
			p, _ := t.client(byte(i + 1)).enters()
			sessions = append(sessions, t.accepted())
			require.NoError(t, p.Close())
			synctest.Wait()
			require.Equal(t, min(i+1, 2), t.e.Stats().Detached)
			require.Equal(t, min(i+1, 2), t.e.Stats().Sessions)
		}
		for i, s := range sessions {
			require.Equal(t, i < 3, s.State() == session.StateClosed, "%d: %v", i, s.State())
			if i < 3 {
				mustEvent(t, s, session.Connected)
				mustEvent(t, s, session.Disconnected)
				require.ErrorIs(t, mustEvent(t, s, session.Closed).Err, session.ErrResumeExpired)
			}
		}
	})
}

// Clients that connect and leave are bounded, and leave nothing.
func TestManyClientsConnectAndLeave(t *testing.T) {
	const clients, bound = 2000, 50
	onStage(t, ListenOptions{Resume: true, MaxDetached: bound, OnEvent: func(*session.Session, session.Event) {}}, func(t *stage) {
		for i := range clients {
			c := t.client(0)
			c.Nonce = resume.Nonce{byte(i), byte(i >> 8), 1}
			p, _ := c.enters()
			require.NoError(t, p.Close())
		}
		synctest.Wait()
		require.Equal(t, bound, t.e.Stats().Detached)
		require.Equal(t, bound, t.e.Stats().Sessions)
		t.knows(bound)
		time.Sleep(DefaultResumeWindow)
		t.knows(0)
		require.Zero(t, t.e.Stats().Sessions)
	})
}

// A peer that goes while it is welcomed again is waited for further, and no timer is forgotten.
func TestPeerThatGoesDuringItsResumption(t *testing.T) {
	onStage(t, ListenOptions{Resume: true, HandshakeTimeout: time.Second}, func(t *stage) {
		c := t.client(1)
		p, w := c.enters()
		s := t.accepted()
		mustEvent(t, s, session.Connected)
		c.proves(p)
		c.holds(w)
		require.NoError(t, p.Close())
		synctest.Wait()
		mustEvent(t, s, session.Disconnected)
		time.Sleep(time.Minute)
		_ = c.dial() // and reads nothing
		synctest.Wait()
		require.Zero(t, t.e.Stats().Detached)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, 1, t.e.Stats().Detached)
		lost := time.Now()
		require.ErrorIs(t, mustRecv(t.T, s).Err, session.ErrResumeExpired)
		require.Equal(t, DefaultResumeWindow, time.Since(lost))
	})
}

// A later connection takes a session from an earlier one that is being welcomed; what that does late
// has no effect.
func TestLaterConnectionDuringAWelcome(t *testing.T) {
	for _, begins := range []bool{true, false} {
		t.Run(fmt.Sprint("begins ", begins), func(t *testing.T) {
			onStage(t, ListenOptions{Resume: true}, func(t *stage) {
				c := t.client(1)
				var s *session.Session
				if !begins {
					p, w := c.enters()
					s = t.accepted()
					c.proves(p)
					c.holds(w)
					require.NoError(t, p.Close())
				}
				stuck := c.dial()
				synctest.Wait() // it is in the Welcome
				p, w := c.enters()
				require.Equal(t, !begins, w.Continued)
				c.proves(p)
				_ = stuck.Close()
				time.Sleep(DefaultHandshakeTimeout)
				synctest.Wait()
				if begins {
					s = t.accepted()
					require.NotNil(t, s, "it is offered, by the first")
				}
				require.Nil(t, t.accepted())
				require.Equal(t, session.StateConnected, s.State())
				require.Zero(t, t.e.Stats().Detached)
				require.Equal(t, 1, t.e.Stats().Sessions)
				c.holds(w)
				_, w = c.enters()
				require.True(t, w.Continued)
			})
		})
	}
}

// The port can be moved: another listener of the engine takes sessions up, and they keep their options.
func TestAnotherListenerTakesASessionUp(t *testing.T) {
	onStage(t, ListenOptions{Resume: true, Name: "first"}, func(t *stage) {
		c := t.client(1)
		p, w := c.enters()
		s := t.accepted()
		mustEvent(t, s, session.Connected)
		c.proves(p)
		require.NoError(t, p.Close())
		require.NoError(t, t.ln.Close())
		synctest.Wait()
		mustEvent(t, s, session.Disconnected)
		require.Equal(t, 1, t.e.Stats().Detached, "it lives on")
		var err error
		t.p = newPipes()
		t.ln, err = t.e.Serve(t.p, ListenOptions{Resume: true, Name: "second"})
		require.NoError(t, err)
		c.holds(w)
		_, w = c.enters()
		require.True(t, w.Continued)
		require.True(t, mustRecv(t.T, s).Resumed)
		require.Equal(t, "first", s.Name())
		require.Nil(t, t.accepted())
	})
}

// One with another Codec does not: the session's messages are written in that of the first.
func TestListenerWithAnotherCodec(t *testing.T) {
	onStage(t, ListenOptions{Resume: true}, func(t *stage) {
		c := t.client(1)
		p, w := c.enters()
		s := t.accepted()
		c.proves(p)
		var err error
		t.p = newPipes()
		f := codec.Format{Width: 2}
		t.ln, err = t.e.Serve(t.p, ListenOptions{Resume: true, Codec: f})
		require.NoError(t, err)
		c.holds(w)
		c.Number++
		other := t.connect()
		go t.says(other, hello(f, c.Hello))
		body, err := (&plan{Config: session.Config{Format: f}}).answer(other)
		require.NoError(t, err)
		w, _, err = resume.ParseAnswer(body)
		require.NoError(t, err)
		require.False(t, w.Continued)
		require.Equal(t, session.StateConnected, s.State())
	})
}

// A shutdown ends what waits for its peer at once, and who is being welcomed.
func TestShutdownEndsDetachedSessions(t *testing.T) {
	onStage(t, ListenOptions{Resume: true}, func(t *stage) {
		var all []*session.Session
		for i := range 10 {
			p, _ := t.client(byte(i + 1)).enters()
			all = append(all, t.accepted())
			require.NoError(t, p.Close())
		}
		t.client(100).dial() // it does not take its Welcome
		t.connect()          // it says nothing
		synctest.Wait()
		require.NoError(t, all[0].Close())
		require.Equal(t, session.StateClosed, all[0].State(), "without a connection there is nothing to wait for")
		require.Equal(t, 9, t.e.Stats().Detached)
		begin := time.Now()
		t.shutdown()
		require.LessOrEqual(t, time.Since(begin), DefaultHandshakeTimeout)
		for _, s := range all {
			require.Equal(t, session.StateClosed, s.State())
		}
		require.Zero(t, t.e.Stats().Detached)
		t.knows(0)
	})
}
