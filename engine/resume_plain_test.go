package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/session"
)

// A plain peer is served as ever, from the first byte that shows it: what was read of it arrives first.
func TestPlainPeersOnAResumeListener(t *testing.T) {
	for name, f := range eachFormat {
		for what, first := range map[string][]byte{
			"a message":                 f.AppendFrame(nil, []byte("one")),
			"a heartbeat and a message": controlFrame(f, []byte("one")),
			"a message like a hello":    f.AppendFrame(f.AppendHeader(nil, 0), []byte("Hnetasync-resum")),
			"a hello as a message":      f.AppendFrame(nil, helloBody(nil)),
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				onStage(t, ListenOptions{Resume: true, Codec: f}, func(t *stage) {
					p := t.connect()
					go p.swallow()
					t.says(p, first)
					s := t.accepted()
					require.NotNil(t, s)
					require.Zero(t, time.Since(p.start))
					require.Equal(t, session.Connected, mustRecv(t.T, s).Kind)
					t.says(p, f.AppendFrame(nil, []byte("two")))
					require.Equal(t, string(wholeMessage(f, first)), string(mustRecv(t.T, s).Payload))
					require.Equal(t, "two", string(mustRecv(t.T, s).Payload))
				})
			})
		}
	}
}

// wholeMessage returns the first message of a wire.
func wholeMessage(f codec.Format, wire []byte) []byte {
	payload, rest := f.Cut(wire)
	if len(payload) == 0 {
		payload, _ = f.Cut(rest)
	}
	return payload
}

// One that waits for the server to speak gets its session after helloWait, also when it has sent a
// heartbeat, or a part of one.
func TestSilentPeerOnAResumeListener(t *testing.T) {
	for _, first := range []string{"", "\x00\x00", "\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x20Hnet"} {
		onStage(t, ListenOptions{Resume: true, NoGreeting: true}, func(t *stage) {
			p := t.connect()
			t.says(p, []byte(first))
			time.Sleep(helloWait - time.Nanosecond)
			require.Nil(t, t.accepted())
			time.Sleep(time.Nanosecond)
			s := t.accepted()
			require.NotNil(t, s)
			require.NoError(t, s.Send(t.Context(), []byte("welcome")))
			require.Equal(t, "welcome", p.mustRead().payload)
		})
	}
}

// One that leaves before it has said anything is a session that ends, as ever.
func TestPeerThatLeavesAResumeListener(t *testing.T) {
	onStage(t, ListenOptions{Resume: true}, func(t *stage) {
		require.NoError(t, t.connect().Close())
		s := t.accepted()
		require.NotNil(t, s)
		require.Equal(t, session.Connected, mustRecv(t.T, s).Kind)
		require.Equal(t, session.Closed, mustRecv(t.T, s).Kind)
	})
}

// With ResumeOnly plain peers are refused, with an error that says why, and counted.
func TestResumeOnlyRefusesPlainPeers(t *testing.T) {
	require.ErrorIs(t, errNoHello, session.ErrNotResumable)
	for _, first := range []string{"", "\x00\x00\x00\x03one", "\x00\x00\x00\x00", "\xff\xff\xff\xff"} {
		onStage(t, ListenOptions{Resume: true, ResumeOnly: true}, func(t *stage) {
			p := t.connect()
			t.says(p, []byte(first))
			time.Sleep(helloWait)
			t.isCut(p, byResume)
		})
	}
}

// A Hello that is none, or never ends, is refused, and costs nothing else. A session is never made of it.
func TestBadHellos(t *testing.T) {
	good := hello(codec.Format{}, resume.Hello{Token: []byte("token")})
	oversize := append(helloBody(nil), make([]byte, resume.MaxBody)...)
	longToken := helloBody(nil)
	longToken[len(longToken)-1] = resume.MaxToken + 1
	for what, c := range map[string]struct {
		wire    []byte
		closes  bool
		after   time.Duration
		because refusal
	}{
		"oversize":                  {wire: controlFrame(codec.Format{}, oversize), because: byResume},
		"nothing behind its name":   {wire: controlFrame(codec.Format{}, oversize[:helloBegins]), because: byResume},
		"truncated":                 {wire: controlFrame(codec.Format{}, helloBody([]byte("token"))[:60]), because: byResume},
		"too long a token":          {wire: controlFrame(codec.Format{}, append(longToken, make([]byte, 100)...)), because: byResume},
		"connection 0":              {wire: controlFrame(codec.Format{}, (&resume.Hello{Version: 1}).Append(nil)), because: byResume},
		"the peer leaves within it": {wire: good[:30], closes: true, because: byResume},
		"it never ends":             {wire: good[:30], after: 5 * time.Second, because: byTimeout},
	} {
		t.Run(what, func(t *testing.T) {
			onStage(t, ListenOptions{Resume: true}, func(t *stage) {
				p := t.connect()
				go func() {
					t.says(p, c.wire)
					if c.closes {
						_ = p.Close()
					}
				}()
				if c.after > 0 {
					time.Sleep(c.after - time.Nanosecond)
					require.Zero(t, t.e.Stats().Refused)
					time.Sleep(time.Nanosecond)
				}
				if c.closes {
					synctest.Wait()
					require.EqualValues(t, 1, t.e.Stats().RefusedBy.Resume)
					return
				}
				t.isCut(p, c.because)
			})
		})
	}
}

// mustRefuse reads a Refuse, behind which the connection ends.
func (t *stage) mustRefuse(p *peer, code resume.Code) {
	t.Helper()
	require.Empty(t, p.mustRead().payload)
	_, r, err := resume.ParseAnswer([]byte(p.mustRead().payload))
	require.NoError(t, err)
	require.NotNil(t, r)
	require.Equal(t, code, r.Code)
	t.isCut(p, byResume)
}

// A peer is told why it is refused.
func TestRefusedHellos(t *testing.T) {
	for code, h := range map[resume.Code]resume.Hello{
		resume.RefuseVersion: {Version: 2},
		resume.RefuseUnknown: {Only: true, Continue: true, Token: []byte("unknown")},
	} {
		onStage(t, ListenOptions{Resume: true}, func(t *stage) {
			p := t.connect()
			go t.says(p, hello(codec.Format{}, h))
			t.mustRefuse(p, code)
		})
	}
}

// A peer that does not take its refusal, or sends a Hello slowly while others wait, keeps no slot.
func TestSlowPeersMakeRoom(t *testing.T) {
	onStage(t, ListenOptions{Resume: true, MaxPending: 1}, func(t *stage) {
		p := t.connect()
		t.says(p, hello(codec.Format{}, resume.Hello{})[:40])
		time.Sleep(DefaultHandshakeTimeout / haste)
		t.isCut(p, byMaxPending)
	})
	onStage(t, ListenOptions{Resume: true}, func(t *stage) {
		p := t.connect()
		t.says(p, hello(codec.Format{}, resume.Hello{Version: 2}))
		time.Sleep(DefaultHandshakeTimeout)
		synctest.Wait()
		by := t.e.Stats().RefusedBy // two times end at this instant
		require.EqualValues(t, 1, by.HandshakeTimeout+by.Resume)
		require.Zero(t, t.ln.callers.n)
	})
}

// A Hello that comes when its peer was taken for a plain one ends the connection, so that it comes
// again. It is never delivered as a message.
func TestLateHello(t *testing.T) {
	for name, f := range eachFormat {
		wire := hello(f, resume.Hello{Token: []byte("token")})
		magic := len(wire) - len(helloBody([]byte("token"))) + helloBegins
		for _, c := range []struct {
			before int // bytes that come in time
			step   int // bytes that come at a time then
		}{{0, len(wire)}, {0, 1}, {1, len(wire)}, {magic - 1, len(wire)}, {magic - 1, 1}} {
			t.Run(name, func(t *testing.T) {
				onStage(t, ListenOptions{Resume: true, Codec: f, NoGreeting: true}, func(t *stage) {
					p := t.connect()
					t.says(p, wire[:c.before])
					time.Sleep(helloWait)
					s := t.accepted()
					require.NotNil(t, s)
					for rest := wire[c.before:]; len(rest) > 0; {
						n := min(c.step, len(rest))
						t.says(p, rest[:n])
						rest = rest[n:]
					}
					require.Equal(t, session.Connected, mustRecv(t.T, s).Kind)
					ev := mustRecv(t.T, s)
					require.Equal(t, session.Closed, ev.Kind, "%q", ev.Payload)
					require.ErrorIs(t, ev.Err, session.ErrNotResumable)
					require.ErrorContains(t, ev.Err, "late hello")
				})
			})
		}
	}
}

// A session that was taken for a plain one is looked at no longer than necessary.
func TestLateHelloIsLookedForAtTheBeginningOnly(t *testing.T) {
	onStage(t, ListenOptions{Resume: true, NoGreeting: true}, func(t *stage) {
		p := t.connect()
		time.Sleep(helloWait)
		s := t.accepted()
		require.Equal(t, session.Connected, mustRecv(t.T, s).Kind)
		for _, m := range []string{"", "", string(helloBody(nil)), "", string(helloBody(nil))} {
			require.NoError(t, p.send(m))
		}
		for range 2 {
			require.Equal(t, string(helloBody(nil)), string(mustRecv(t.T, s).Payload))
		}
	})
}
