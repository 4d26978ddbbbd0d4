package resume

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each case changes a Hello that goes on with the session that its token is of, by the third
// connection after two others.
func TestJudge(t *testing.T) {
	type situation struct {
		Hello
		Known
		unknown, byToken bool
		identity         string
		secure           bool
	}
	byNonce := func(s *situation) { s.byToken, s.Heard, s.Continue = false, false, false }
	for _, c := range []struct {
		name    string
		change  func(*situation)
		verdict Verdict
		code    Code
	}{
		{"goes on", func(*situation) {}, Carry, 0},
		{"goes on, or nothing", func(s *situation) { s.Only = true }, Carry, 0},
		{"goes on, and the dialer was not heard", func(s *situation) { s.Heard = false }, Carry, 0},
		{"has the token and does not go on", func(s *situation) { s.Continue = false }, StartOver, 0},
		{"does not go on, or nothing", func(s *situation) {
			s.Continue, s.Only = false, true
		}, Deny, RefuseUnknown},
		{"same number", func(s *situation) { s.Hello.Number = 2 }, Deny, RefuseStale},
		{"smaller number", func(s *situation) { s.Hello.Number = 1 }, Deny, RefuseStale},
		{"another nonce", func(s *situation) { s.Hello.Nonce[15] = 1 }, Deny, RefuseForbidden},
		{"another identity", func(s *situation) { s.identity = "other" }, Deny, RefuseForbidden},
		{"no identity", func(s *situation) { s.identity = "" }, Deny, RefuseForbidden},
		{"identity where there was none", func(s *situation) {
			s.Identity = ""
		}, Deny, RefuseForbidden},
		{"no TLS", func(s *situation) { s.secure = false }, Deny, RefuseForbidden},
		{"TLS where there was none", func(s *situation) { s.Secure = false }, Deny, RefuseForbidden},
		{"another identity, and old: the number is not told", func(s *situation) {
			s.identity, s.Hello.Number = "other", 1
		}, Deny, RefuseForbidden},

		{"unknown", func(s *situation) { s.unknown = true }, Begin, 0},
		{"unknown, or nothing", func(s *situation) {
			s.unknown, s.Only = true, true
		}, Deny, RefuseUnknown},
		{"first", func(s *situation) {
			s.unknown, s.byToken, s.Continue = true, false, false
		}, Begin, 0},

		{"the Welcome was lost", byNonce, Carry, 0},
		{"the Welcome to a new session was lost", func(s *situation) {
			byNonce(s)
			s.Continue = true
		}, Carry, 0},
		{"the Welcome was lost, and no new session is wanted", func(s *situation) {
			byNonce(s)
			s.Continue, s.Only = true, true
		}, Deny, RefuseUnknown},
		{"an old one, before the dialer was heard", func(s *situation) {
			byNonce(s)
			s.Hello.Number = 1
		}, Deny, RefuseStale},
		{"an old one, when the dialer was heard", func(s *situation) {
			byNonce(s)
			s.Heard, s.Hello.Number = true, 1
		}, Deny, RefuseStale},
		{"a dialer that has forgotten its token", func(s *situation) {
			byNonce(s)
			s.Heard = true
		}, Begin, 0},
		{"a dialer that has forgotten its token and wants nothing new", func(s *situation) {
			byNonce(s)
			s.Heard, s.Only = true, true
		}, Deny, RefuseUnknown},
		{"another one's nonce", func(s *situation) {
			byNonce(s)
			s.identity = "other"
		}, Deny, RefuseForbidden},
		{"another one's nonce, without TLS", func(s *situation) {
			byNonce(s)
			s.secure = false
		}, Deny, RefuseForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := situation{
				Hello:   Hello{Version: 1, Continue: true, Number: 3, Nonce: nonce, Token: token},
				Known:   Known{Nonce: nonce, Number: 2, Heard: true, Identity: "somebody", Secure: true},
				byToken: true, identity: "somebody", secure: true,
			}
			c.change(&s)
			known := &s.Known
			if s.unknown {
				known = nil
			}
			verdict, code := Judge(&s.Hello, known, s.byToken, s.identity, s.secure)
			require.Equal(t, c.verdict.String(), verdict.String())
			require.Equal(t, c.code, code)
		})
	}
}

// What is true of every verdict, whatever is said and known.
func TestJudgeAlways(t *testing.T) {
	const cases = 3 << 8
	seen := map[Verdict]int{}
	for n := range cases {
		bit := func(i int) bool { return n>>i&1 == 1 }
		h := Hello{Continue: bit(0), Only: bit(1), Nonce: nonce, Number: uint64(1 + n>>8)}
		k := &Known{Nonce: nonce, Number: 2, Heard: bit(2), Secure: bit(3)}
		byToken, sameNonce, same := bit(4), bit(5), bit(6)
		identity := "other"
		if same {
			identity = ""
		}
		if !sameNonce {
			h.Nonce = Nonce{}
		}
		if bit(7) {
			k = nil
		}
		v, code := Judge(&h, k, byToken, identity, true)
		what := fmt.Sprintf("%+v %+v by token %v: %v, %v", h, k, byToken, v, code)
		seen[v]++
		require.Equal(t, v == Deny, code != 0, what)
		if h.Only {
			require.NotContains(t, []Verdict{Begin, StartOver}, v, what)
		}
		if k == nil {
			require.NotContains(t, []Verdict{Carry, StartOver}, v, what)
			continue
		}
		if v != Deny {
			require.True(t, same && k.Secure && sameNonce && h.Number > k.Number, what)
		}
		if v == Carry {
			require.True(t, byToken && h.Continue || !byToken && !k.Heard && !h.Only, what)
		}
		if v == StartOver {
			require.True(t, byToken && !h.Continue, what)
		}
	}
	require.Len(t, seen, 4)
}

func TestPlausible(t *testing.T) {
	const most = 1<<64 - 1
	for _, c := range []struct {
		received, acked, sent uint64
		want                  bool
	}{
		{0, 0, 0, true}, {1, 0, 0, false}, {0, 0, 1, true}, {1, 0, 1, true}, {2, 0, 1, false},
		{1, 1, 1, true}, {0, 1, 1, false}, {5, 3, 8, true}, {3, 3, 8, true}, {8, 3, 8, true},
		{2, 3, 8, false}, {9, 3, 8, false}, {most, 0, most, true}, {most, 0, 0, false},
	} {
		require.Equal(t, c.want, Plausible(c.received, c.acked, c.sent), c)
	}
}
