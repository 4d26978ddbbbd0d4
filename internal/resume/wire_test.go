package resume

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTokenSizes(t *testing.T) {
	for _, n := range []int{0, 1, 16, MaxToken} {
		token := bytes.Repeat([]byte{7}, n)
		h, err := ParseHello((&Hello{Version: 1, Number: 1, Token: token}).Append(nil))
		require.NoError(t, err)
		require.Equal(t, token, h.Token)
		w, _, err := ParseAnswer((&Welcome{Version: 1, Token: token}).Append(nil))
		require.NoError(t, err)
		require.Equal(t, token, w.Token)
	}
	long := bytes.Repeat([]byte{7}, MaxToken+1)
	_, err := ParseHello((&Hello{Version: 1, Number: 1, Token: long}).Append(nil))
	require.Equal(t, ErrMalformed, err)
	_, _, err = ParseAnswer((&Welcome{Version: 1, Token: long}).Append(nil))
	require.Equal(t, ErrMalformed, err)
}

// The largest Hello fits into a frame whose length is one byte and counts itself.
func TestLargestHello(t *testing.T) {
	h := Hello{Token: make([]byte, MaxToken)}
	require.Len(t, h.Append(nil), 123)
}

// What is behind a token is not overwritten by who appends to that.
func TestTokenHasNoSpareCapacity(t *testing.T) {
	body := append(golden(t, "hello-continue"), "behind"...)
	h, err := ParseHello(body)
	require.NoError(t, err)
	_ = append(h.Token, 'x')
	require.True(t, bytes.HasSuffix(body, []byte("behind")))
}

// Of a Hello of another version nothing is known but that, and its size.
func TestHelloOfAnotherVersion(t *testing.T) {
	for _, version := range []byte{0, 2, 255} {
		body := append([]byte("Hnetasync-resume"), version)
		h, err := ParseHello(body)
		require.NoError(t, err)
		require.Equal(t, Hello{Version: version}, h)
		body = append(body, make([]byte, MaxBody-len(body))...)
		h, err = ParseHello(body)
		require.NoError(t, err)
		require.Equal(t, Hello{Version: version}, h)
		_, err = ParseHello(append(body, 0))
		require.Equal(t, ErrMalformed, err)
	}
}

// A dialer asks for one version. A Welcome of another one is no answer.
func TestWelcomeOfAnotherVersion(t *testing.T) {
	for _, version := range []byte{0, 2} {
		w, r, err := ParseAnswer((&Welcome{Version: version, Token: token}).Append(nil))
		require.Equal(t, ErrMalformed, err)
		require.Nil(t, w)
		require.Nil(t, r)
	}
}

// The first connection has the number 1: 0 is none.
func TestHelloWithoutNumber(t *testing.T) {
	_, err := ParseHello((&Hello{Version: 1, Nonce: nonce}).Append(nil))
	require.Equal(t, ErrMalformed, err)
}

// What cannot be parsed is not there.
func TestMalformedIsNothing(t *testing.T) {
	for _, example := range bodies {
		body := example.body.Append(nil)
		if len(body) < 3 {
			continue
		}
		h, err := ParseHello(body[:len(body)-1])
		require.Error(t, err)
		require.Zero(t, h)
		if c, err := Parse(body[:len(body)-1]); err != nil {
			require.Zero(t, c)
		}
		if w, r, err := ParseAnswer(body[:len(body)-1]); err != nil {
			require.Nil(t, w)
			require.Nil(t, r)
		}
	}
}

// Flags and codes that are not known yet do not matter.
func TestLaterFlags(t *testing.T) {
	body := golden(t, "hello-first")
	body[17] = 0xf8
	h, err := ParseHello(body)
	require.NoError(t, err)
	require.False(t, h.Continue || h.Only || h.Follows)
	body = golden(t, "welcome-continued")
	body[2] = 0xff
	w, _, err := ParseAnswer(body)
	require.NoError(t, err)
	require.True(t, w.Continued)
	_, r, err := ParseAnswer([]byte{KindRefuse, 99})
	require.NoError(t, err)
	require.Equal(t, "code 99", r.Code.String())
}

func TestCodesHaveNames(t *testing.T) {
	for c := RefuseVersion; c <= RefuseGoTo; c++ {
		require.NotContains(t, c.String(), "code")
	}
	require.Equal(t, "code 0", Code(0).String())
	for v, name := range []string{"begin", "carry", "start over", "deny"} {
		require.Equal(t, name, Verdict(v).String())
	}
}

// A text that is too long is cut, not refused.
func TestLongRefusal(t *testing.T) {
	body := (&Refuse{Code: RefuseFull, Text: strings.Repeat("x", 1000)}).Append(nil)
	require.Len(t, body, MaxBody)
	_, r, err := ParseAnswer(body)
	require.NoError(t, err)
	require.Len(t, r.Text, MaxBody-2)
}

// Kinds that are not of a connection that goes on, or of none.
func TestKindsOutOfPlace(t *testing.T) {
	for kind := range 256 {
		body := append([]byte{byte(kind)}, make([]byte, 100)...)
		_, err := Parse(body)
		require.Equal(t, !strings.ContainsRune("AQB", rune(kind)), err != nil, "%c", kind)
		body[1] = Version
		_, _, err = ParseAnswer(body)
		require.Equal(t, !strings.ContainsRune("WR", rune(kind)), err != nil, "%c", kind)
		_, err = ParseHello(body)
		require.Equal(t, ErrNotHello, err)
	}
}

func TestBegins(t *testing.T) {
	hello := golden(t, "hello-first")
	for n := range hello {
		require.True(t, Begins(hello[:n]))
	}
	for n := range 1 + len(magic) {
		other := bytes.Clone(hello[:n+1])
		other[n] ^= 1
		require.False(t, Begins(other))
	}
}
