package resume

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// seeds are the golden frames, whole and cut, and some that are none.
func seeds(f *testing.F) {
	for _, example := range bodies {
		body := golden(f, example.name)
		f.Add(body)
		f.Add(body[:len(body)-1])
		f.Add(append(body, make([]byte, MaxBody-len(body))...))
		f.Add(append(body, make([]byte, MaxBody+1-len(body))...))
	}
	f.Add([]byte{})
	f.Add((&Hello{Version: 1, Number: 1, Token: make([]byte, MaxToken+1)}).Append(nil))
	f.Add((&Hello{Version: 2}).Append(nil))
	f.Add((&Welcome{Version: 1, Token: make([]byte, MaxToken+1)}).Append(nil))
}

// canonical checks that what was parsed of a body is what it says: written again it is the body's
// beginning, save for flags that mean nothing.
func canonical(t *testing.T, body, again []byte, flags int, known byte) {
	t.Helper()
	require.LessOrEqual(t, len(body), MaxBody)
	require.LessOrEqual(t, len(again), len(body))
	want := bytes.Clone(body[:len(again)])
	if flags > 0 {
		want[flags] &= known
	}
	require.Equal(t, want, again)
}

// malformed checks the error of a body that is none.
func malformed(t *testing.T, err error, parsed ...any) {
	t.Helper()
	require.True(t, errors.Is(err, ErrMalformed) || errors.Is(err, ErrNotHello))
	for _, p := range parsed {
		require.Zero(t, p)
	}
}

func FuzzParseHello(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := ParseHello(body)
		if err != nil {
			malformed(t, err, h)
			return
		}
		require.True(t, Begins(body))
		if h.Version != Version {
			require.Equal(t, Hello{Version: h.Version}, h)
			canonical(t, body, append([]byte("Hnetasync-resume"), h.Version), 0, 0)
			return
		}
		again := h.Append(nil)
		canonical(t, body, again, 2+len(magic), flagContinue|flagOnly|flagFollows)
		same, err := ParseHello(again)
		require.NoError(t, err)
		require.Equal(t, h, same)
	})
}

func FuzzParseAnswer(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		w, r, err := ParseAnswer(body)
		switch {
		case err != nil:
			malformed(t, err, w, r)
		case w != nil:
			require.Nil(t, r)
			canonical(t, body, w.Append(nil), 2, flagContinue)
		default:
			again := r.Append(nil)
			require.Len(t, again, len(body))
			canonical(t, body, again, 0, 0)
		}
	})
}

func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := Parse(body)
		if err != nil {
			malformed(t, err, c)
			return
		}
		canonical(t, body, control(c).Append(nil), 0, 0)
	})
}
