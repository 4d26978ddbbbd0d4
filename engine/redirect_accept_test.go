package engine

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/session"
)

// guide is a listener whose tokens begin with "here", and that says where those are that begin with "there".
func guide(to string, routed *int, o ListenOptions) ListenOptions {
	o.Resume, o.TokenPrefix = true, []byte("here")
	o.Redirect = func(token []byte, _ ConnInfo) string {
		if !bytes.HasPrefix(token, []byte("there")) {
			return ""
		}
		return to
	}
	o.Route = func([]byte, net.Conn, []byte, ConnInfo) bool { *routed++; return false }
	return o
}

// refused returns the answer to a client's Hello, and sees the connection closed.
func (c *client) refused() *resume.Refuse {
	c.Helper()
	p := c.dial()
	require.Empty(c, p.mustRead().payload)
	_, r, err := resume.ParseAnswer([]byte(p.mustRead().payload))
	require.NoError(c, err)
	require.NotNil(c, r, "it is welcomed")
	_, err = p.Read(make([]byte, 1))
	require.ErrorIs(c, err, io.EOF)
	return r
}

// Who goes where it is told is told, and nobody else.
func TestRedirectOfAPeer(t *testing.T) {
	routed := 0
	onStage(t, guide("a.example.org:8899", &routed, ListenOptions{}), func(t *stage) {
		c := t.client(1)
		c.Continue, c.Token, c.Follows = true, []byte("there it is"), true
		require.Equal(t, &resume.Refuse{Code: resume.RefuseGoTo, Text: "a.example.org:8899"}, c.refused())
		synctest.Wait()
		require.EqualValues(t, 1, t.e.Stats().Routed)
		require.Zero(t, t.e.Stats().Refused)
		require.Zero(t, t.e.Stats().Sessions)
		require.Zero(t, routed, "Route is asked later")

		c.Follows = false
		_, w := c.enters()
		require.False(t, w.Continued)
		require.Equal(t, 1, routed, "who does not follow is passed on, if that can be")

		known := t.client(2)
		known.Follows = true
		p, w := known.enters()
		known.holds(w)
		known.proves(p)
		_, w = known.enters()
		require.True(t, w.Continued, "its session is here")
		require.Equal(t, 1, routed)

		lost := t.client(3)
		lost.Continue, lost.Token, lost.Follows = true, []byte("nowhere"), true
		lost.enters()
		require.Equal(t, 2, routed, "Redirect does not know")
	})
}

// A redirect fits into a frame of every Codec.
func TestRedirectInEveryCodec(t *testing.T) {
	to := strings.Repeat("a", maxRedirect-2) + ":1"
	require.Len(t, to, maxRedirect)
	for name, f := range eachFormat {
		t.Run(name, func(t *testing.T) {
			routed := 0
			onStage(t, guide(to, &routed, ListenOptions{Codec: f, MaxPayload: 3}), func(t *stage) {
				p := t.connect()
				go t.says(p, hello(f, resume.Hello{Continue: true, Follows: true, Token: []byte("there")}))
				body, err := (&plan{Config: session.Config{Format: f}}).answer(p)
				require.NoError(t, err)
				_, r, err := resume.ParseAnswer(body)
				require.NoError(t, err)
				require.Equal(t, to, r.Text)
			})
		})
	}
}

// What is no address is not told to a peer; it is said in the log, once, and Route is asked.
func TestRedirectReturnsNonsense(t *testing.T) {
	for _, to := range []string{"there", "a:1\r\n", strings.Repeat("a", maxRedirect) + ":1"} {
		routed := 0
		var text bytes.Buffer
		o := guide(to, &routed, ListenOptions{Logger: slog.New(slog.NewTextHandler(&text, nil))})
		onStage(t, o, func(t *stage) {
			for i := range 3 {
				c := t.client(byte(i))
				c.Continue, c.Token, c.Follows = true, []byte("there"), true
				c.enters()
			}
			require.Equal(t, 3, routed)
			require.Zero(t, t.e.Stats().Routed)
			synctest.Wait()
			require.Equal(t, 1, strings.Count(text.String(), "level=WARN"), text.String())
			require.Contains(t, text.String(), "Redirect returned a bad address")
		})
	}
}

// A connection that another engine has accepted is not sent away again.
func TestNoRedirectOfServeConn(t *testing.T) {
	routed := 0
	onStage(t, guide("a:1", &routed, ListenOptions{}), func(t *stage) {
		ours, theirs := net.Pipe()
		defer func() { _ = ours.Close() }()
		require.NoError(t, t.ln.ServeConn(theirs, ConnInfo{Remote: target{"tcp", "peer:1"}}))
		p := &peer{Conn: ours, t: t.T}
		go t.says(p, hello(codec.Format{}, resume.Hello{Continue: true, Follows: true, Token: []byte("there")}))
		require.Empty(t, p.mustRead().payload)
		require.Equal(t, byte(resume.KindWelcome), p.mustRead().payload[0])
		require.Zero(t, routed)
	})
}
