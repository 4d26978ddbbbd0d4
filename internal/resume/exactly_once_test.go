package resume

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// scenario is what may happen from outside, which bounds what is tried.
type scenario struct {
	name  string
	quick budget
	long  budget // without -short
	rules func(*rules)
}

var scenarios = []scenario{
	{
		name:  "outages",
		quick: budget{dials: 3, faults: 1, dialerSends: 1, listenerSends: 1},
		long:  budget{dials: 3, faults: 2, dialerSends: 2, listenerSends: 1},
	},
	{
		name:  "restarts",
		quick: budget{dials: 2, faults: 1, restarts: 1, dialerSends: 1, listenerSends: 1},
		long:  budget{dials: 3, faults: 1, restarts: 1, dialerSends: 1, listenerSends: 1},
	},
	{
		name:  "restarts, and what may be lost is sent again",
		quick: budget{dials: 2, faults: 1, restarts: 1, dialerSends: 1},
		long:  budget{dials: 3, faults: 1, restarts: 1, dialerSends: 2},
		rules: func(r *rules) { r.resendLost = true },
	},
	{
		name:  "expiry",
		quick: budget{dials: 3, faults: 1, expiries: 1, dialerSends: 1, listenerSends: 1},
		long:  budget{dials: 3, faults: 2, expiries: 1, dialerSends: 1, listenerSends: 1},
	},
	{
		name:  "close",
		quick: budget{dials: 2, faults: 1, closes: 1, dialerSends: 1, listenerSends: 1},
		long:  budget{dials: 3, faults: 1, closes: 1, dialerSends: 1, listenerSends: 1},
	},
	{
		name:  "an end that is not what it was",
		quick: budget{dials: 2, faults: 1, lapses: 1, dialerSends: 1, listenerSends: 1},
		long:  budget{dials: 2, faults: 1, lapses: 1, dialerSends: 2, listenerSends: 1},
	},
}

// Everything that can happen within a scenario: both ends keep what they promise in each state, and
// from each they come to a working connection when nothing more goes wrong.
func TestModelOfTheTwoEnds(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r := rules{judge: Judge}
			if s.rules != nil {
				s.rules(&r)
			}
			left := s.long
			if testing.Short() || raceEnabled {
				left = s.quick
			}
			x := newExplorer(r, left)
			fault := x.run()
			t.Logf("%d states, and %d on the way home", len(x.states), len(x.good[0]))
			require.Empty(t, fault)
		})
	}
}

// mistakes are rules that do not hold: the model has to find each of them.
var mistakes = []struct {
	name     string
	scenario string
	set      func(*rules)
	fault    string
}{
	{"the nonce tells nothing any more when the token was heard", "outages", func(r *rules) {
		r.judge = func(h *Hello, k *Known, byToken bool, identity string, secure bool) (Verdict, Code) {
			if k != nil && !byToken && k.Heard {
				k = nil
			}
			return Judge(h, k, byToken, identity, secure)
		}
	}, "sessions at the listener"},
	{"the nonce tells nothing", "outages", func(r *rules) {
		r.judge = func(h *Hello, k *Known, byToken bool, identity string, secure bool) (Verdict, Code) {
			if !byToken {
				k = nil
			}
			return Judge(h, k, byToken, identity, secure)
		}
	}, "sessions at the listener"},
	{"the number is not compared", "outages", func(r *rules) {
		r.judge = func(h *Hello, k *Known, byToken bool, identity string, secure bool) (Verdict, Code) {
			if k != nil {
				known := *k
				known.Number, k = 0, &known
			}
			return Judge(h, k, byToken, identity, secure)
		}
		r.claimsBlindly = true
	}, "no newer"},
	{"Only is not looked at", "close", func(r *rules) {
		r.judge = func(h *Hello, k *Known, byToken bool, identity string, secure bool) (Verdict, Code) {
			hello := *h
			hello.Only = false
			return Judge(&hello, k, byToken, identity, secure)
		}
	}, "no use"},
	{"Claim does not compare numbers", "outages", func(r *rules) { r.claimsBlindly = true }, "no newer"},
	{"data before Welcome", "outages", func(r *rules) { r.dataBeforeWelcome = true }, ""},
	{"a session begins after it was decided", "outages", func(r *rules) { r.beginsLater = true }, "sessions at the listener"},
	{"a message is acknowledged before it is counted", "outages", func(r *rules) { r.acksRead = true }, ""},
	{"received is not frozen", "outages", func(r *rules) { r.countsOn = true }, ""},
	{"a message is counted after its callback", "outages", func(r *rules) { r.countsLate = true }, "duplicate"},
	{"what is written is not kept", "outages", func(r *rules) { r.forgetsWritten = true }, "missing"},
	{"what is kept is not sent again", "outages", func(r *rules) { r.sendsOnce = true }, ""},
	{"the number does not grow", "outages", func(r *rules) { r.sameNumber = true }, "no connection lasts"},
	{"the end of a connection takes the session from a newer one", "outages", func(r *rules) { r.losesNewer = true }, ""},
	{"a session found by its nonce takes the count of an earlier one", "restarts", func(r *rules) { r.believesReceived = true }, ""},
	{"what may be lost is not told", "restarts", func(r *rules) { r.hidesLost = true }, ""},
	{"after an impossible Welcome the same Hello again", "an end that is not what it was", func(r *rules) { r.triesAgain = true }, "no connection lasts"},
	{"a new session keeps the nonce", "close", func(r *rules) { r.keepsNonce = true }, "never heard"},
	{"a claimed session expires", "expiry", func(r *rules) { r.expiresClaimed = true }, ""},
	{"a session that was not heard expires early", "outages", func(r *rules) { r.expiresUnheard = true }, "nothing has ended"},
	{"a dialer that closes begins a session", "close", func(r *rules) { r.closesInNew = true }, "no use"},
}

// The model can fail.
func TestModelFindsMistakes(t *testing.T) {
	for _, mistake := range mistakes {
		t.Run(mistake.name, func(t *testing.T) {
			t.Parallel()
			r := rules{judge: Judge}
			mistake.set(&r)
			for _, s := range scenarios {
				if s.name == mistake.scenario {
					x := newExplorer(r, s.long)
					fault := x.run()
					t.Logf("%d states: %s", len(x.states), fault)
					require.Contains(t, fault, mistake.fault)
					require.NotEmpty(t, fault)
				}
			}
		})
	}
}
