package engine

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

var hourly = reconnect.FixedDelay(time.Hour)

// mustGreet reads a Hello.
func (p *peer) mustGreet() resume.Hello {
	p.t.Helper()
	require.Empty(p.t, p.mustRead().payload)
	h, err := resume.ParseHello([]byte(p.mustRead().payload))
	require.NoError(p.t, err)
	return h
}

// answers writes a control frame.
func (p *peer) answers(body []byte) { _, _ = p.Write(controlFrame(codec.Format{}, body)) }

func (p *peer) welcomes(w resume.Welcome) {
	w.Version = resume.Version
	p.answers(w.Append(nil))
}

// A dialer says Hello first and nothing else before it is welcomed.
func TestDialerSaysHelloFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
		s := mustConnect(t, e, ConnectOptions{Resume: true, Unacked: session.Buffer{Cap: 7, Bytes: 70}})
		require.NoError(t, s.Send(t.Context(), []byte("one")))
		p := <-peers
		h := p.mustGreet()
		require.Equal(t, resume.Keep{Messages: 7, Bytes: 70}, h.Keep)
		require.False(t, h.Continue)
		require.EqualValues(t, 1, h.Number)
		_ = p.SetReadDeadline(time.Now().Add(4 * time.Second))
		_, err := p.Read(make([]byte, 1))
		require.ErrorContains(t, err, "timeout")
		_ = p.SetReadDeadline(time.Time{})
		require.Equal(t, session.StateConnecting, s.State())
		p.welcomes(resume.Welcome{Token: []byte("token")})
		require.Equal(t, session.Connected, mustRecv(t, s).Kind)
		require.Equal(t, "one", p.mustRead().payload)
		require.NoError(t, p.Close())
		require.Equal(t, session.Disconnected, mustRecv(t, s).Kind)
		p = <-peers
		h2 := p.mustGreet()
		require.Equal(t, h.Nonce, h2.Nonce)
		require.True(t, h2.Continue)
		require.EqualValues(t, 2, h2.Number)
		require.Equal(t, "token", string(h2.Token))
		p.welcomes(resume.Welcome{Continued: true, Received: 1, Token: []byte("token")})
		require.True(t, mustRecv(t, s).Resumed)
		go p.swallow()
	})
}

// A peer that says anything else, or nothing, cannot resume: the error says so.
func TestPeerThatDoesNotSpeakResumption(t *testing.T) {
	for what, answer := range map[string]string{
		"nothing":                          "",
		"a heartbeat":                      "\x00\x00\x00\x00",
		"a message":                        "\x00\x00\x00\x02hi",
		"two heartbeats":                   "\x00\x00\x00\x00\x00\x00\x00\x00",
		"a heartbeat and a message":        "\x00\x00\x00\x00\x00\x00\x00\x02hi",
		"a message like a welcome":         "\x00\x00\x00\x00\x00\x00\x00\x40Welcome to the chat server of the department, please tell us who",
		"a message like a refusal":         "\x00\x00\x00\x00\x00\x00\x00\x06Ready.",
		"too large a frame":                "\x00\x00\x00\x00\x00\x00\x02\x01",
		"what cannot be a length":          "\xff\xff\xff\xff",
		"a frame that does not end":        "\x00\x00\x00\x00\x00\x00\x00\x20W",
		"an ack before the welcome":        string(controlFrame(codec.Format{}, resume.AppendAck(nil, 1))),
		"a question before the welcome":    string(controlFrame(codec.Format{}, resume.AppendQuestion(nil))),
		"a goodbye before the welcome":     string(controlFrame(codec.Format{}, (&resume.Bye{}).Append(nil))),
		"a hello":                          string(controlFrame(codec.Format{}, helloBody(nil))),
		"an unknown kind":                  string(controlFrame(codec.Format{}, []byte("Xyz"))),
		"a truncated welcome":              string(controlFrame(codec.Format{}, (&resume.Welcome{Version: 1}).Append(nil)[:10])),
		"a welcome of another version":     string(controlFrame(codec.Format{}, (&resume.Welcome{Version: 2}).Append(nil))),
		"a refusal because of the version": string(controlFrame(codec.Format{}, (&resume.Refuse{Code: resume.RefuseVersion}).Append(nil))),
		"a refusal without a code":         string(controlFrame(codec.Format{}, (&resume.Refuse{}).Append(nil))),
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
				s := mustConnect(t, e, ConnectOptions{Resume: true, Backoff: hourly})
				p := <-peers
				p.mustGreet()
				_, _ = p.Write([]byte(answer))
				ev := mustRecv(t, s)
				require.Equal(t, session.Disconnected, ev.Kind)
				require.ErrorIs(t, ev.Err, session.ErrNotResumable)
				require.LessOrEqual(t, time.Since(p.start), DefaultDialTimeout)
				_, err := p.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.EOF, "the connection is closed")
				if what == "nothing" {
					require.Equal(t, DefaultDialTimeout, time.Since(p.start))
					require.ErrorContains(t, ev.Err, "no answer to resume within 5s: does the peer have Resume on?")
				}
			})
		})
	}
}

// Attempts at a peer that does not speak resumption count.
func TestAttemptsAtAPeerThatCannotResume(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
		s := mustConnect(t, e, ConnectOptions{Resume: true, MaxAttempts: 2})
		for range 2 {
			p := <-peers
			p.mustGreet()
			go func() { _ = p.send("what?") }()
		}
		require.ErrorIs(t, mustRecv(t, s).Err, session.ErrNotResumable)
		require.ErrorIs(t, mustRecv(t, s).Err, session.ErrNotResumable)
		require.Equal(t, session.StateClosed, s.State())
	})
}

// The error of a refusal says its code and its text, and that of a connection that breaks is its own.
func TestDialerIsRefused(t *testing.T) {
	for code, text := range map[resume.Code]string{
		resume.RefuseStale: "stale", resume.RefuseForbidden: "forbidden", resume.RefuseUnknown: "cannot continue",
		resume.RefuseFull: "full", resume.RefuseShutdown: "shutting down", resume.RefuseGoTo: `go to: "\n"`, 31: "code 31",
	} {
		inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
			s := mustConnect(t, e, ConnectOptions{Resume: true, Backoff: hourly})
			p := <-peers
			p.mustGreet()
			r := resume.Refuse{Code: code}
			if code == resume.RefuseGoTo {
				r.Text = "\n"
			}
			p.answers(r.Append(nil))
			ev := mustRecv(t, s)
			require.ErrorContains(t, ev.Err, text)
			require.NotErrorIs(t, ev.Err, session.ErrNotResumable)
		})
	}
	for _, said := range []string{"", "\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x20W"} {
		inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
			s := mustConnect(t, e, ConnectOptions{Resume: true, Backoff: hourly})
			p := <-peers
			p.mustGreet()
			_, _ = p.Write([]byte(said))
			require.NoError(t, p.Close())
			ev := mustRecv(t, s)
			require.ErrorIs(t, ev.Err, io.EOF)
			require.NotErrorIs(t, ev.Err, session.ErrNotResumable)
		})
	}
	inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
		s := mustConnect(t, e, ConnectOptions{Resume: true, Backoff: hourly})
		p := <-peers
		p.mustGreet()
		p.welcomes(resume.Welcome{})
		require.ErrorIs(t, mustRecv(t, s).Err, errNoToken)
	})
}

// heedless is a connection that knows no deadlines.
type heedless struct{ net.Conn }

func (heedless) SetDeadline(time.Time) error      { return nil }
func (heedless) SetReadDeadline(time.Time) error  { return nil }
func (heedless) SetWriteDeadline(time.Time) error { return nil }

// DialTimeout ends the wait for an answer, and a peer that does not read, also on a connection of the
// user's that knows no deadlines. So does Close.
func TestSilenceOnAConnectionWithoutDeadlines(t *testing.T) {
	for _, reads := range []bool{true, false} {
		for _, closes := range []bool{true, false} {
			inBubble(t, func(t *testing.T, e *Engine, _ <-chan *peer) {
				ends := make(chan net.Conn, 1)
				start := time.Now()
				s := mustConnect(t, e, ConnectOptions{Resume: true, Backoff: hourly, Dial: func(context.Context, string, string) (net.Conn, error) {
					ours, theirs := net.Pipe()
					ends <- theirs
					return heedless{ours}, nil
				}})
				p := &peer{Conn: <-ends, t: t, start: start}
				if reads {
					p.mustGreet()
				}
				if closes {
					s.CloseNow(nil)
					synctest.Wait()
					require.Zero(t, time.Since(start))
				} else {
					require.ErrorIs(t, mustRecv(t, s).Err, session.ErrNotResumable)
					require.Equal(t, DefaultDialTimeout, time.Since(start))
				}
				_, err := p.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.EOF)
			})
		}
	}
}

// A welcome by counts that cannot be begins a new session of the peer's.
func TestImplausibleWelcome(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
		s := mustConnect(t, e, ConnectOptions{Resume: true})
		p := <-peers
		h := p.mustGreet()
		p.welcomes(resume.Welcome{Token: []byte("token")})
		require.Equal(t, session.Connected, mustRecv(t, s).Kind)
		require.NoError(t, p.Close())
		p = <-peers
		p.mustGreet()
		p.welcomes(resume.Welcome{Continued: true, Received: 1000, Token: []byte("token")})
		p = <-peers
		anew := p.mustGreet()
		require.NotEqual(t, h.Nonce, anew.Nonce)
		require.False(t, anew.Continue)
		require.Empty(t, anew.Token)
		p.welcomes(resume.Welcome{Token: []byte("another")})
		go p.swallow()
		require.Equal(t, session.Disconnected, mustRecv(t, s).Kind)
		ev := mustRecv(t, s)
		require.Equal(t, session.Connected, ev.Kind)
		require.False(t, ev.Resumed)
	})
}

// Codecs with a header of one byte hold a Hello with the largest token, and MaxPayload does not bound it.
func TestHelloInEveryCodec(t *testing.T) {
	for name, f := range eachFormat {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
				s := mustConnect(t, e, ConnectOptions{Resume: true, Codec: f, MaxPayload: 1})
				token := make([]byte, resume.MaxToken)
				for i := range 2 {
					p := <-peers
					sc := scout{conn: p, format: f}
					o, err := sc.opening()
					require.NoError(t, err)
					require.Equal(t, greeting, o.sight)
					require.NoError(t, sc.read(o.length-helloBegins))
					h, err := resume.ParseHello(sc.seen[o.body:])
					require.NoError(t, err)
					require.Equal(t, i > 0, len(h.Token) == resume.MaxToken)
					w := resume.Welcome{Version: resume.Version, Continued: i > 0, Token: token}
					_, _ = p.Write(controlFrame(f, w.Append(nil)))
					require.Equal(t, session.Connected, mustRecv(t, s).Kind)
					require.NoError(t, p.Close())
					require.Equal(t, session.Disconnected, mustRecv(t, s).Kind)
				}
				_ = s.Close()
			})
		})
	}
}

// A session keeps to the endpoint that knows it, as long as that can be reached.
func TestResumeKeepsToItsEndpoint(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, _ <-chan *peer) {
		var down atomic.Bool // a:1
		dialed := make(chan string, 100)
		ends := make(chan net.Conn, 1)
		s, err := e.Connect("a:1", ConnectOptions{Resume: true, Addrs: []string{"b:1"},
			Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
				dialed <- addr
				if addr == "a:1" && down.Load() {
					return nil, errRefused
				}
				ours, theirs := net.Pipe()
				ends <- theirs
				return ours, nil
			}})
		require.NoError(t, err)
		answer := func(addr string, continued bool) {
			require.Equal(t, addr, <-dialed)
			p := &peer{Conn: <-ends, t: t}
			p.mustGreet()
			p.welcomes(resume.Welcome{Continued: continued, Token: []byte(addr)})
			require.NoError(t, p.Close()) // it has not proved itself
			synctest.Wait()
		}
		answer("a:1", false)
		answer("a:1", true)
		down.Store(true)
		require.Equal(t, "a:1", <-dialed) // it is down
		answer("b:1", false)
		answer("b:1", true)
		_ = s.Close()
	})
}
