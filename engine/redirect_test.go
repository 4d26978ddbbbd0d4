package engine

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

func anywhere(string) bool { return true }

// roamer is a session of the endpoint peer:1, whose hosts are played by the test.
type roamer struct {
	*testing.T
	*session.Session
	dialed <-chan *called
	down   map[string]error // hosts that cannot be reached
	dials  []string         // all there were; read it after synctest.Wait
	number uint64           // of the last Hello
	log    bytes.Buffer
}

// called is the far end of a connection to an address.
type called struct {
	*peer
	addr string
}

// roam runs a test of a dialer that has a session at peer:1, and has lost its connection there.
func roam(t *testing.T, o ConnectOptions, test func(r *roamer)) {
	t.Helper()
	inBubble(t, func(t *testing.T, e *Engine, _ <-chan *peer) {
		dialed := make(chan *called, 10)
		r := &roamer{T: t, dialed: dialed, down: map[string]error{}}
		e.host.log = slog.New(slog.NewTextHandler(&r.log, nil))
		e.dial = func(_ context.Context, network, addr string) (net.Conn, error) {
			r.dials = append(r.dials, addr)
			require.Equal(t, "tcp", network)
			if err := r.down[addr]; err != nil {
				return nil, err
			}
			ours, theirs := net.Pipe()
			dialed <- &called{&peer{Conn: theirs, t: t, start: time.Now()}, addr}
			return ours, nil
		}
		o.Resume = true
		r.Session = mustConnect(t, e, o)
		h, p := r.greets("peer:1")
		require.False(t, h.Continue || h.Follows || h.Only, "there is nothing to go on with")
		r.settles(p, false)
		test(r)
		_ = r.Close()
	})
}

// greets returns the Hello of the next connection, which is to an address.
func (r *roamer) greets(addr string) (resume.Hello, *called) {
	r.Helper()
	p := <-r.dialed
	require.Equal(r, addr, p.addr)
	h := p.mustGreet()
	require.Equal(r, r.number+1, h.Number)
	r.number++
	return h, p
}

// settles welcomes the session, sees it connected, and ends the connection once that has proved itself.
func (r *roamer) settles(p *called, continued bool) {
	r.Helper()
	p.welcomes(resume.Welcome{Continued: continued, Token: []byte("token")})
	ev := mustRecv(r.T, r.Session)
	require.Equal(r, session.Connected, ev.Kind, "%v", ev.Err)
	require.Equal(r, continued, ev.Resumed)
	require.NoError(r, p.send(""))
	synctest.Wait()
	require.NoError(r, p.Close())
	require.Equal(r, session.Disconnected, mustRecv(r.T, r.Session).Kind)
}

// points answers with a redirect, as the peer of a dialer that has said that it follows.
func (r *roamer) points(to string) {
	r.Helper()
	h, p := r.greets("peer:1")
	require.True(r, h.Continue && h.Follows)
	require.False(r, h.Only)
	p.answers((&resume.Refuse{Code: resume.RefuseGoTo, Text: to}).Append(nil))
	_, err := p.Read(make([]byte, 1))
	require.ErrorIs(r, err, io.EOF, "the connection is left")
}

// A session goes where it is told at once, and as often as it is told, which is no failure.
func TestRedirect(t *testing.T) {
	var asked []string
	roam(t, ConnectOptions{MaxAttempts: 1, FollowRedirect: func(addr string) bool {
		asked = append(asked, addr)
		return true
	}}, func(r *roamer) {
		for range 3 {
			r.points("there:2")
			begin := time.Now()
			h, p := r.greets("there:2")
			require.Zero(t, time.Since(begin), "there is no back-off in between")
			require.True(t, h.Continue && h.Only, "no session is to begin there")
			require.False(t, h.Follows, "it goes no further")
			require.Equal(t, "token", string(h.Token))
			r.settles(p, true)
		}
		require.Equal(t, []string{"there:2", "there:2", "there:2"}, asked)
		require.EqualValues(t, 3, r.Stats().Resumed)
		synctest.Wait()
		require.NotContains(t, r.log.String(), "redirect")
	})
}

// Who does not follow says so by what it said before there were redirects, and is told nothing.
func TestNoRedirectUnasked(t *testing.T) {
	roam(t, ConnectOptions{Backoff: reconnect.FixedDelay(time.Second)}, func(r *roamer) {
		h, p := r.greets("peer:1")
		require.False(t, h.Follows)
		p.answers((&resume.Refuse{Code: resume.RefuseGoTo, Text: "there:2"}).Append(nil))
		_, p = r.greets("peer:1")
		require.ErrorContains(t, r.Stats().LastError, "refused: go to: there:2")
		r.settles(p, true)
	})
}

// A redirect that leads nowhere costs one dial: the endpoint is asked for the session itself, in the same
// attempt.
func TestRedirectToNowhere(t *testing.T) {
	refuses := func(code resume.Code, text string) func(p *called) {
		return func(p *called) { p.answers((&resume.Refuse{Code: code, Text: text}).Append(nil)) }
	}
	says := func(text string) func(p *called) {
		return func(p *called) { _, _ = p.Write([]byte(text)) }
	}
	for what, c := range map[string]struct {
		to    string
		there func(p *called) // nil: it is not dialed
		took  time.Duration
	}{
		"no name":              {to: "", there: nil},
		"no port":              {to: "there", there: nil},
		"a unix socket":        {to: "unix:2", there: nil},
		"unprintable":          {to: "there\r\n:2", there: nil},
		"against it":           {to: "elsewhere:2", there: nil},
		"not reached":          {to: "down:2", there: nil},
		"a circle":             {to: "peer:1", there: refuses(resume.RefuseGoTo, "peer:1")},
		"one after the other":  {to: "there:2", there: refuses(resume.RefuseGoTo, "another:3")},
		"a stranger":           {to: "there:2", there: refuses(resume.RefuseUnknown, "")},
		"another owner":        {to: "there:2", there: refuses(resume.RefuseForbidden, "")},
		"full":                 {to: "there:2", there: refuses(resume.RefuseFull, "")},
		"a plain peer":         {to: "there:2", there: says("\x00\x00\x00\x02hi")},
		"the end":              {to: "there:2", there: func(p *called) { _ = p.Close() }},
		"no answer":            {to: "there:2", there: says(""), took: DefaultDialTimeout / 2},
		"one that begins anew": {to: "there:2", there: func(p *called) { p.welcomes(resume.Welcome{Token: []byte("another")}) }},
		"a welcome and no token": {to: "there:2", there: func(p *called) {
			p.welcomes(resume.Welcome{Continued: true})
		}},
		"one that claims to have more than was sent": {to: "there:2", there: func(p *called) {
			p.welcomes(resume.Welcome{Continued: true, Received: 99, Token: []byte("another")})
		}},
	} {
		t.Run(what, func(t *testing.T) {
			o := ConnectOptions{MaxAttempts: 1, FollowRedirect: func(addr string) bool { return addr != "elsewhere:2" }}
			roam(t, o, func(r *roamer) {
				r.down["down:2"] = errRefused
				for range 2 {
					r.points(c.to)
					begin := time.Now()
					if c.there != nil {
						h, p := r.greets(c.to)
						require.True(t, h.Only)
						require.False(t, h.Follows)
						c.there(p)
					}
					h, p := r.greets("peer:1")
					require.Equal(t, c.took, time.Since(begin))
					require.True(t, h.Continue)
					require.False(t, h.Follows, "it asks to be passed on")
					require.False(t, h.Only)
					r.settles(p, true)
				}
				synctest.Wait() // until all is told
				require.Equal(t, 2, strings.Count(r.log.String(), "redirect not followed"), r.log.String())
				require.Zero(t, r.Stats().Lost)
			})
		})
	}
}

// Where a host welcomes the session and nothing more comes of it, the next connection is passed on.
func TestRedirectThatBreaks(t *testing.T) {
	roam(t, ConnectOptions{FollowRedirect: anywhere}, func(r *roamer) {
		for range 2 {
			r.points("there:2")
			_, p := r.greets("there:2")
			p.welcomes(resume.Welcome{Continued: true, Token: []byte("token")})
			require.True(t, mustRecv(r.T, r.Session).Resumed)
			require.NoError(t, p.Close())
			require.Equal(t, session.Disconnected, mustRecv(r.T, r.Session).Kind)
			h, p := r.greets("peer:1")
			require.False(t, h.Follows, "it asks to be passed on")
			r.settles(p, true)
		}
	})
}

// Where neither way leads anywhere the attempt has failed. The next ones ask for no redirect, until there
// was a connection.
func TestRedirectAndEndpointFail(t *testing.T) {
	roam(t, ConnectOptions{Backoff: reconnect.FixedDelay(time.Second), FollowRedirect: anywhere}, func(r *roamer) {
		r.down["there:2"] = errRefused
		for range 2 {
			r.points("there:2")
			h, p := r.greets("peer:1")
			require.False(t, h.Follows)
			begin := time.Now()
			p.answers((&resume.Refuse{Code: resume.RefuseFull}).Append(nil))
			h, p = r.greets("peer:1")
			require.False(t, h.Follows)
			require.Equal(t, time.Second, time.Since(begin), "there is back-off")
			failed := r.Stats().LastError
			require.ErrorContains(t, failed, "refused: full (before: netasync: told to go to there:2: ")
			require.ErrorContains(t, failed, errRefused.Error())
			r.settles(p, true)
		}
	})
}

// A Dial that goes on after its time does not keep the session from its endpoint.
func TestRedirectBesideAHeedlessDial(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, _ <-chan *peer) {
		dialed := make(chan *called, 10)
		s := mustConnect(t, e, ConnectOptions{Resume: true, FollowRedirect: anywhere, Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
			if addr != "peer:1" {
				time.Sleep(20 * time.Second)
				return nil, errRefused
			}
			ours, theirs := net.Pipe()
			dialed <- &called{&peer{Conn: theirs, t: t, start: time.Now()}, addr}
			return ours, nil
		}})
		p := <-dialed
		p.mustGreet()
		p.welcomes(resume.Welcome{Token: []byte("token")})
		require.Equal(t, session.Connected, mustRecv(t, s).Kind)
		require.NoError(t, p.send(""))
		synctest.Wait()
		require.NoError(t, p.Close())
		require.Equal(t, session.Disconnected, mustRecv(t, s).Kind)
		p = <-dialed
		require.True(t, p.mustGreet().Follows)
		begin := time.Now()
		p.answers((&resume.Refuse{Code: resume.RefuseGoTo, Text: "there:2"}).Append(nil))
		p = <-dialed
		require.False(t, p.mustGreet().Follows)
		require.Equal(t, 20*time.Second, time.Since(begin), "as soon as Dial has returned")
		p.welcomes(resume.Welcome{Continued: true, Token: []byte("token")})
		require.True(t, mustRecv(t, s).Resumed)
		go p.swallow()
		_ = s.Close()
	})
}

// A session that has said goodbye asks its own endpoint whether that was heard: what a stranger says is no
// proof.
func TestRedirectOfAGoodbye(t *testing.T) {
	roam(t, ConnectOptions{Linger: time.Minute, FollowRedirect: anywhere}, func(r *roamer) {
		_, p := r.greets("peer:1")
		p.welcomes(resume.Welcome{Continued: true, Token: []byte("token")})
		require.True(t, mustRecv(r.T, r.Session).Resumed)
		require.NoError(t, r.Send(context.Background(), []byte("one")))
		require.Equal(t, "one", p.mustRead().payload)
		closed := make(chan error, 1)
		go func() { closed <- r.Close() }()
		require.Empty(t, p.mustRead().payload)
		require.Equal(t, byte(resume.KindBye), p.mustRead().payload[0])
		require.NoError(t, p.Close())
		h, p := r.greets("peer:1")
		require.True(t, h.Only && h.Follows)
		p.answers((&resume.Refuse{Code: resume.RefuseGoTo, Text: "there:2"}).Append(nil))
		_, p = r.greets("there:2")
		p.answers((&resume.Refuse{Code: resume.RefuseUnknown}).Append(nil))
		h, p = r.greets("peer:1")
		require.True(t, h.Only)
		p.welcomes(resume.Welcome{Continued: true, Received: 1, Token: []byte("token")})
		require.Empty(t, p.mustRead().payload)
		require.Equal(t, byte(resume.KindBye), p.mustRead().payload[0])
		p.answers(resume.AppendAck(nil, 1))
		require.NoError(t, <-closed)
		require.Zero(t, r.Stats().Lost)
	})
}

// What comes from a peer is dialed only if it is host:port and harmless.
func TestCheckRedirect(t *testing.T) {
	long := strings.Repeat("a", maxRedirect-2)
	for _, addr := range []string{
		"a:1", "a.example.org:8899", "A-b_c.d:65535", "192.0.2.1:1", "[::1]:7000", "[fe80::1%eth0]:7000", long + ":1",
	} {
		require.NoError(t, checkRedirect(addr), addr)
	}
	for _, addr := range []string{
		"", ":", "a", "a:", ":1", "a:0", "a:65536", "a:-1", "a:+1", "a:http", "a:1:2", "::1:7000", "[::1]", "a:1 ", " a:1", "a b:1", "a\x00:1",
		"a\n:1", "a:1\r\nX: y", "é:1", "a/b:1", "a@b:1", "\xff:1", "unix:1", "unix:/a:1", "unix:", "a:١", "[a]b:1", long + "a:1", strings.Repeat("a", 400) + ":1",
	} {
		require.Error(t, checkRedirect(addr), addr)
	}
}
