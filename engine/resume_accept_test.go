package engine

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/session"
)

// client is a dialer of a session that can be resumed, spoken by hand.
type client struct {
	*stage
	resume.Hello
}

func (t *stage) client(nonce byte) *client {
	return &client{t, resume.Hello{Version: resume.Version, Nonce: resume.Nonce{nonce}, Keep: resume.Keep{Messages: 100, Bytes: 1000}}}
}

// dial says the client's Hello on a new connection.
func (c *client) dial() *peer {
	p := c.connect()
	c.Number++
	go c.says(p, hello(codec.Format{}, c.Hello))
	return p
}

// enters dials, and returns the Welcome.
func (c *client) enters() (*peer, *resume.Welcome) {
	c.Helper()
	p := c.dial()
	require.Empty(c, p.mustRead().payload)
	w, _, err := resume.ParseAnswer([]byte(p.mustRead().payload))
	require.NoError(c, err)
	require.NotNil(c, w, "it is refused")
	require.Equal(c, byte(resume.Version), w.Version)
	return p, w
}

// holds notes a Welcome: from now on the client continues that session.
func (c *client) holds(w *resume.Welcome) { c.Token, c.Continue = w.Token, true }

// proves makes the listener hear from the client.
func (c *client) proves(p *peer) {
	go p.swallow()
	c.says(p, controlFrame(codec.Format{}, resume.AppendAck(nil, 0)))
	synctest.Wait()
}

// known returns how many sessions the table finds by their tokens, and by their nonces.
func (t *stage) known() (tokens, nonces int) {
	synctest.Wait()
	table := &t.e.host.resumptions
	table.mu.Lock()
	defer table.mu.Unlock()
	return len(table.byToken), len(table.byNonce)
}

// knows expects that the table has so many sessions, and nothing else.
func (t *stage) knows(sessions int) {
	t.Helper()
	tokens, nonces := t.known()
	require.Equal(t, sessions, tokens)
	require.Equal(t, sessions, nonces)
}

func mustEvent(t testing.TB, s *session.Session, kind session.EventKind) session.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	ev, err := s.Recv(ctx)
	require.NoError(t, err, "want %v", kind)
	require.Equal(t, kind, ev.Kind, "%v", ev.Err)
	return ev
}

// A Hello is answered by a Welcome with a token, and the session is offered once, after it.
func TestWelcome(t *testing.T) {
	o := ListenOptions{Resume: true, ResumeWindow: 90*time.Second + 1, Unacked: session.Buffer{Cap: 7, Bytes: 70}, MaxPayload: 1}
	onStage(t, o, func(t *stage) {
		c := t.client(1)
		_, w := c.enters()
		require.False(t, w.Continued)
		require.Zero(t, w.Received)
		require.Len(t, w.Token, tokenBytes)
		require.Equal(t, resume.Keep{Messages: 7, Bytes: 70}, w.Keep)
		require.EqualValues(t, 91, w.Window)
		s := t.accepted()
		require.NotNil(t, s)
		require.Nil(t, t.accepted())
		require.EqualValues(t, 1, t.e.Stats().Accepted)
		ev := mustEvent(t, s, session.Connected)
		require.False(t, ev.Resumed)
		_, w2 := t.client(2).enters()
		require.NotEqual(t, w.Token, w2.Token)
	})
}

// A Hello that comes byte by byte is heard, as long as HandshakeTimeout lets it.
func TestHelloByteByByte(t *testing.T) {
	onStage(t, ListenOptions{Resume: true}, func(t *stage) {
		p := t.connect()
		wire := hello(codec.Format{}, resume.Hello{})
		go func() {
			for _, b := range wire {
				time.Sleep((DefaultHandshakeTimeout - time.Millisecond) / time.Duration(len(wire)))
				t.says(p, []byte{b})
			}
		}()
		require.Empty(t, p.mustRead().payload)
		require.Equal(t, byte(resume.KindWelcome), p.mustRead().payload[0])
		require.NotNil(t, t.accepted())
	})
}

// In every Codec, also where MaxPayload is less than a control frame.
func TestWelcomeInEveryCodec(t *testing.T) {
	for name, f := range eachFormat {
		t.Run(name, func(t *testing.T) {
			onStage(t, ListenOptions{Resume: true, Codec: f, MaxPayload: 3}, func(t *stage) {
				p := t.connect()
				go t.says(p, hello(f, resume.Hello{Token: make([]byte, resume.MaxToken)}))
				body, err := (&plan{Config: session.Config{Format: f}}).answer(p)
				require.NoError(t, err)
				w, _, err := resume.ParseAnswer(body)
				require.NoError(t, err)
				require.NotNil(t, w)
				go t.says(p, f.AppendFrame(nil, []byte("yes")))
				s := t.accepted()
				mustEvent(t, s, session.Connected)
				require.Equal(t, "yes", string(mustRecv(t.T, s).Payload))
			})
		})
	}
}

// With its token a dialer takes its session up again: it is not offered once more.
func TestCarryByToken(t *testing.T) {
	onStage(t, ListenOptions{Resume: true}, func(t *stage) {
		c := t.client(1)
		p, w := c.enters()
		s := t.accepted()
		mustEvent(t, s, session.Connected)
		c.proves(p)
		require.NoError(t, p.send("one"))
		require.Equal(t, "one", string(mustRecv(t.T, s).Payload))
		for i := range 3 {
			c.holds(w)
			require.NoError(t, p.Close())
			synctest.Wait()
			require.Equal(t, 1, t.e.Stats().Detached)
			require.Equal(t, session.Disconnected, mustRecv(t.T, s).Kind)
			var again *resume.Welcome
			p, again = c.enters()
			require.True(t, again.Continued)
			require.Equal(t, w.Token, again.Token, "it is the same")
			require.EqualValues(t, i+1, again.Received)
			require.True(t, mustRecv(t.T, s).Resumed)
			require.Zero(t, t.e.Stats().Detached)
			require.Nil(t, t.accepted())
			require.NoError(t, p.send("more"))
			require.Equal(t, "more", string(mustRecv(t.T, s).Payload))
		}
		require.EqualValues(t, 1, t.e.Stats().Accepted)
		time.Sleep(time.Second)
		require.Equal(t, 1, t.e.Stats().Sessions)
	})
}

// A Welcome that is lost time and again leaves one session, which its dialer gets in the end.
func TestWelcomeLostAHundredTimes(t *testing.T) {
	onStage(t, ListenOptions{Resume: true}, func(t *stage) {
		c := t.client(1)
		tokens := map[string]bool{}
		for range 100 {
			p := c.dial()
			require.Empty(t, p.mustRead().payload)
			payload := p.mustRead().payload // our peer has not read it
			w, _, err := resume.ParseAnswer([]byte(payload))
			require.NoError(t, err)
			require.NotNil(t, w)
			tokens[string(w.Token)] = true
			require.NoError(t, p.Close())
			synctest.Wait()
		}
		s := t.accepted()
		require.NotNil(t, s)
		p, w := c.enters()
		require.False(t, w.Continued)
		require.Nil(t, t.accepted())
		require.Equal(t, 1, t.e.Stats().Sessions)
		require.Len(t, tokens, 100, "each is another one")
		require.NotContains(t, tokens, string(w.Token))
		t.knows(1) // the tokens before are forgotten
		c.holds(w)
		c.proves(p)
		_, w = c.enters()
		require.True(t, w.Continued)
	})
}

// From when it was heard the token alone finds a session, and not the nonce.
func TestNonceIsOfNoUseOnceTheDialerWasHeard(t *testing.T) {
	onStage(t, ListenOptions{Resume: true}, func(t *stage) {
		c := t.client(1)
		p, w := c.enters()
		first := t.accepted()
		c.proves(p)
		_, other := c.enters() // it does not say the token
		require.False(t, other.Continued)
		second := t.accepted()
		require.NotNil(t, second)
		require.NotSame(t, first, second)
		require.Equal(t, session.StateConnected, first.State())
		c.holds(w)
		_, again := c.enters()
		require.True(t, again.Continued, "the first is still found")
		first.CloseNow(nil)
		synctest.Wait()
		require.Equal(t, 1, t.e.Stats().Sessions)
		c.Token, c.Continue = nil, false
		_, again = c.enters()
		require.False(t, again.Continued)
		require.Nil(t, t.accepted(), "the end of the first has left what the second has under the nonce")
	})
}

// A number that does not grow is that of a delayed connection. It disturbs nothing.
func TestStaleNumber(t *testing.T) {
	onStage(t, ListenOptions{Resume: true}, func(t *stage) {
		c := t.client(1)
		p, w := c.enters()
		c.proves(p)
		s := t.accepted()
		c.holds(w)
		for range 2 {
			c.Number--
			late := c.dial()
			require.Empty(t, late.mustRead().payload)
			_, r, err := resume.ParseAnswer([]byte(late.mustRead().payload))
			require.NoError(t, err)
			require.Equal(t, resume.RefuseStale, r.Code)
		}
		synctest.Wait()
		require.EqualValues(t, 2, t.e.Stats().RefusedBy.Resume)
		require.NoError(t, p.send("still here"))
		mustEvent(t, s, session.Connected)
		require.Equal(t, "still here", string(mustRecv(t.T, s).Payload))
	})
}

// A token does not help who has not made up the nonce; the session is not touched.
func TestTokenOfSomebodyElse(t *testing.T) {
	onStage(t, ListenOptions{Resume: true}, func(t *stage) {
		c := t.client(1)
		p, w := c.enters()
		c.proves(p)
		s := t.accepted()
		thief := t.client(2)
		thief.Number = 10
		thief.holds(w)
		stolen := thief.dial()
		require.Empty(t, stolen.mustRead().payload)
		_, r, err := resume.ParseAnswer([]byte(stolen.mustRead().payload))
		require.NoError(t, err)
		require.Equal(t, resume.RefuseForbidden, r.Code)
		require.Equal(t, session.StateConnected, s.State())
		thief.Token = []byte("a guess")
		_, w = thief.enters()
		require.False(t, w.Continued, "who guesses gets a session of his own")
		require.NotSame(t, s, t.accepted())
	})
}

// Another identity is refused, and the session is not touched.
func TestAnotherIdentity(t *testing.T) {
	names := make(chan string, 10)
	o := ListenOptions{Resume: true, Identify: func(context.Context, net.Conn) (string, error) { return <-names, nil }}
	onStage(t, o, func(t *stage) {
		c := t.client(1)
		names <- "alice"
		p, w := c.enters()
		c.proves(p)
		s := t.accepted()
		require.Equal(t, "alice", s.Identity())
		c.holds(w)
		names <- "mallory"
		other := c.dial()
		require.Empty(t, other.mustRead().payload)
		_, r, err := resume.ParseAnswer([]byte(other.mustRead().payload))
		require.NoError(t, err)
		require.Equal(t, resume.RefuseForbidden, r.Code)
		require.Equal(t, session.StateConnected, s.State())
		names <- "alice"
		_, w = c.enters()
		require.True(t, w.Continued)
	})
}

// Counts that cannot be end the session, and a new one begins in the same round trip.
func TestImplausibleCountsStartOver(t *testing.T) {
	for _, only := range []bool{false, true} {
		onStage(t, ListenOptions{Resume: true}, func(t *stage) {
			c := t.client(1)
			p, w := c.enters()
			s := t.accepted()
			mustEvent(t, s, session.Connected)
			c.proves(p)
			c.holds(w)
			c.Received, c.Only = 1000, only
			if only {
				p = c.dial()
				require.Empty(t, p.mustRead().payload)
				_, r, err := resume.ParseAnswer([]byte(p.mustRead().payload))
				require.NoError(t, err)
				require.Equal(t, resume.RefuseUnknown, r.Code)
			} else {
				_, w = c.enters()
				require.False(t, w.Continued)
				require.NotNil(t, t.accepted())
			}
			require.Equal(t, session.Disconnected, mustRecv(t.T, s).Kind)
			require.ErrorIs(t, mustRecv(t.T, s).Err, session.ErrBadAck)
		})
	}
}

// A dialer that has its token and wants a new session ends the one before.
func TestStartOver(t *testing.T) {
	onStage(t, ListenOptions{Resume: true, MaxSessions: 1}, func(t *stage) {
		c := t.client(1)
		p, w := c.enters()
		s := t.accepted()
		mustEvent(t, s, session.Connected)
		c.proves(p)
		c.Token = w.Token
		_, w = c.enters()
		require.False(t, w.Continued)
		require.ErrorIs(t, mustRecv(t.T, s).Err, session.ErrBadAck)
		require.NotNil(t, t.accepted())
	})
}

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

// A session expires when its window is over, to the instant, with an error that says so; one whose
// peer was never heard expires earlier.
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
				want := c.want
				if heard {
					cl.proves(p)
				} else {
					want = min(want, unprovenWindow)
				}
				require.NoError(t, p.Close())
				synctest.Wait()
				mustEvent(t, s, session.Disconnected)
				lost := time.Now()
				require.ErrorIs(t, mustRecv(t.T, s).Err, session.ErrResumeExpired)
				require.Equal(t, want, time.Since(lost))
				t.knows(0)
				require.Zero(t, t.e.Stats().Detached)
				require.Zero(t, t.ln.absent.row.Len())
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
		time.Sleep(unprovenWindow)
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
