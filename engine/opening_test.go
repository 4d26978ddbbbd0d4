package engine

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
)

// eachFormat are formats of every make.
var eachFormat = map[string]codec.Format{
	"default": {}, "1": {Width: 1}, "1 including": {Width: 1, IncludesHeader: true},
	"2 little": {Width: 2, LittleEndian: true}, "8": {Width: 8},
	"varint": {Varint: true}, "varint including": {Varint: true, IncludesHeader: true},
}

func helloBody(token []byte) []byte {
	return (&resume.Hello{Version: resume.Version, Number: 1, Token: token}).Append(nil)
}

// What tells a Hello is its kind and its magic.
func TestHelloBegins(t *testing.T) {
	body := helloBody(nil)
	require.True(t, resume.Begins(body[:helloBegins]))
	for i := range helloBegins {
		wrong := append([]byte(nil), body[:helloBegins]...)
		wrong[i]++
		require.False(t, resume.Begins(wrong))
	}
	after := append(append([]byte(nil), body[:helloBegins]...), 0xff)
	require.True(t, resume.Begins(after), "what follows is not looked at")
}

// A Hello is recognised at its last byte that matters, never before and never later, however it is
// cut, and no byte is asked for that a peer need not send.
func TestOpeningOfAHello(t *testing.T) {
	for name, f := range eachFormat {
		for _, token := range [][]byte{nil, make([]byte, resume.MaxToken)} {
			body := helloBody(token)
			wire := controlFrame(f, body)
			from := len(wire) - len(body)
			for n := range wire {
				o := openingOf(f, wire[:n])
				if n < from+helloBegins {
					require.Equal(t, unclear, o.sight, "%s, %d bytes", name, n)
					require.Positive(t, o.need)
					require.LessOrEqual(t, n+o.need, from+helloBegins)
					continue
				}
				require.Equal(t, opening{greeting, 0, from, len(body)}, o, name)
			}
		}
	}
}

// Whatever else a connection begins with is a plain peer's, which is known before its message is whole.
func TestOpeningOfAPlainPeer(t *testing.T) {
	for name, f := range eachFormat {
		for what, wire := range map[string][]byte{
			"a message":                     f.AppendFrame(nil, []byte("message")),
			"a heartbeat and a message":     controlFrame(f, []byte("a message of some length")),
			"a heartbeat and a short one":   controlFrame(f, []byte("Hnet")),
			"two heartbeats":                controlFrame(f, nil),
			"two heartbeats and a hello":    append(f.AppendHeader(nil, 0), controlFrame(f, helloBody(nil))...),
			"a hello without its heartbeat": f.AppendFrame(nil, helloBody(nil)),
		} {
			clear := 0
			for clear = range len(wire) + 1 {
				if o := openingOf(f, wire[:clear]); o.sight != unclear {
					break
				} else {
					require.LessOrEqual(t, clear+o.need, len(wire), "%s: %s", name, what)
				}
			}
			require.Equal(t, plain, openingOf(f, wire[:clear]).sight, "%s: %s", name, what)
			require.Equal(t, plain, openingOf(f, wire).sight, "%s: %s", name, what)
		}
	}
}

// What cannot be a length is a plain peer's: its session finds out.
func TestOpeningThatIsNoFrame(t *testing.T) {
	for _, c := range []struct {
		f    codec.Format
		wire string
	}{
		{codec.Format{}, "\xff\xff\xff\xff"},
		{codec.Format{}, "\x00\x00\x00\x00\xff\xff\xff\xff"},
		{codec.Format{IncludesHeader: true}, "\x00\x00\x00\x03"},
		{codec.Format{Varint: true}, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"},
		{codec.Format{Varint: true}, "\xff\xff\xff\xff\x7f"},
		{codec.Format{Varint: true}, "\x00\xff\xff\xff\xff\x7f"},
	} {
		require.Equal(t, plain, openingOf(c.f, []byte(c.wire)).sight, "%q", c.wire)
	}
}

// A scout leaves everything behind the header to the next reader.
func TestScoutReadsNotAByteTooMuch(t *testing.T) {
	for name, f := range eachFormat {
		ours, theirs := net.Pipe()
		body := helloBody([]byte("token"))
		wire := controlFrame(f, body)
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			for _, b := range append(wire, "rest"...) { // byte by byte
				_, _ = theirs.Write([]byte{b})
			}
		}()
		s := scout{conn: ours, format: f, patience: time.Minute}
		o, err := s.opening()
		require.NoError(t, err, name)
		require.Equal(t, greeting, o.sight, name)
		require.Equal(t, wire[:len(wire)-len(body)+helloBegins], s.seen, name)
		require.NoError(t, s.read(len(body)-helloBegins))
		require.Equal(t, wire, s.seen)
		rest := make([]byte, 4)
		for i := range rest {
			_, err = ours.Read(rest[i : i+1])
			require.NoError(t, err)
		}
		require.Equal(t, "rest", string(rest))
		<-wrote
	}
}
