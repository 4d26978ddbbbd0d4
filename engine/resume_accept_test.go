package engine

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/session"
)

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

// Whom a nonce has found has never had a Welcome of that session: what it says of an earlier one, of a
// server that was started anew, does not count.
func TestNonceOfADialerThatComesFromAnotherServer(t *testing.T) {
	onStage(t, ListenOptions{Resume: true}, func(t *stage) {
		c := t.client(1)
		c.Token, c.Continue, c.Received = []byte("of another server"), true, 1000
		p, w := c.enters()
		require.False(t, w.Continued)
		s := t.accepted()
		require.NoError(t, p.Close()) // it has not read it
		p, w = c.enters()
		require.False(t, w.Continued)
		require.Nil(t, t.accepted(), "it is the same session")
		c.proves(p)
		require.Equal(t, session.StateConnected, s.State())
		require.Equal(t, 1, t.e.Stats().Sessions)
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
