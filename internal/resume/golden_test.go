package resume

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// golden returns the bytes of a file of testdata: hex, in which a # begins a comment.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	require.NoError(t, err)
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	require.NoError(t, err)
	return b
}

var (
	nonce = Nonce{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	token = []byte{
		0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff,
	}
	much, little = Keep{16384, 4 << 20}, Keep{256, 64 << 10}
)

// bodies are the frames of testdata.
var bodies = []struct {
	name string
	body interface{ Append([]byte) []byte }
}{
	{"hello-first", &Hello{Version: 1, Number: 2, Nonce: nonce, Keep: much, Token: []byte{}}},
	{"hello-continue", &Hello{
		Version: 1, Continue: true, Only: true, Number: 7, Nonce: nonce, Received: 1<<32 + 2,
		Keep: much, Token: token,
	}},
	{"hello-follows", &Hello{
		Version: 1, Continue: true, Follows: true, Number: 8, Nonce: nonce, Received: 1<<32 + 2,
		Keep: much, Token: token,
	}},
	{"welcome-new", &Welcome{Version: 1, Keep: little, Window: 120, Token: token}},
	{"welcome-continued", &Welcome{
		Version: 1, Continued: true, Received: 3, Keep: little, Window: 120, Token: token,
	}},
	{"refuse-stale", &Refuse{Code: RefuseStale}},
	{"refuse-go-to", &Refuse{Code: RefuseGoTo, Text: "[::1]:7000"}},
	{"ack", control{Kind: KindAck, Received: 0x102}},
	{"question", control{Kind: KindQuestion}},
	{"bye", control{Kind: KindBye, Bye: Bye{Sent: 0x102}}},
}

// control is a Control that can be written.
type control Control

func (c control) Append(b []byte) []byte {
	switch c.Kind {
	case KindAck:
		return AppendAck(b, c.Received)
	case KindQuestion:
		return AppendQuestion(b)
	}
	return c.Bye.Append(b)
}

// parse parses a body as what an example is.
func parse(like any, body []byte) (any, error) {
	switch like.(type) {
	case *Hello:
		h, err := ParseHello(body)
		return &h, err
	case *Welcome:
		w, _, err := ParseAnswer(body)
		return w, err
	case *Refuse:
		_, r, err := ParseAnswer(body)
		return r, err
	}
	c, err := Parse(body)
	return control(c), err
}

func TestGoldenBytes(t *testing.T) {
	for _, example := range bodies {
		t.Run(example.name, func(t *testing.T) {
			want := golden(t, example.name)
			require.Equal(t, want, example.body.Append(nil))
			require.Equal(t, append([]byte("before"), want...), example.body.Append([]byte("before")))
			got, err := parse(example.body, want)
			require.NoError(t, err)
			require.Equal(t, example.body, got)
		})
	}
}

// Every file is tested.
func TestGoldenFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.hex")
	require.NoError(t, err)
	require.Len(t, files, len(bodies))
}

// A body that is cut anywhere is malformed; one with more behind it is not, up to the largest size.
func TestBodySizes(t *testing.T) {
	for _, example := range bodies {
		t.Run(example.name, func(t *testing.T) {
			body := golden(t, example.name)
			fixed := len(body)
			r, refuse := example.body.(*Refuse)
			if refuse {
				fixed = 2 // what is behind is text
			}
			for n := range fixed {
				_, err := parse(example.body, body[:n:n])
				if _, ok := example.body.(*Hello); ok && n <= len(magic) {
					require.Equal(t, ErrNotHello, err, n)
				} else {
					require.Equal(t, ErrMalformed, err, n)
				}
			}
			full := append(body, make([]byte, MaxBody-len(body))...)
			got, err := parse(example.body, full)
			require.NoError(t, err)
			if refuse {
				require.Equal(t, r.Code, got.(*Refuse).Code)
			} else {
				require.Equal(t, example.body, got)
			}
			_, err = parse(example.body, append(full, 0))
			require.Equal(t, ErrMalformed, err)
		})
	}
}

func TestWindow(t *testing.T) {
	require.Equal(t, 2*time.Minute, (&Welcome{Window: 120}).WindowOf())
	require.Positive(t, (&Welcome{Window: 1<<32 - 1}).WindowOf())
}
