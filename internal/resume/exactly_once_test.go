package resume

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scenario is what may happen from outside, which bounds what is tried.
type scenario struct {
	name  string
	quick budget
	long  budget // without -short
	rules func(*rules)
}

// Names of scenarios.
const (
	outages  = "outages"
	restarts = "restarts"
	expiry   = "expiry"
	closing  = "close"
	lapses   = "an end that is not what it was"
)

var scenarios = []scenario{
	{
		name:  "connections",
		quick: budget{dials: 3, faults: 2},
		long:  budget{dials: 4, faults: 3},
	},
	{
		name:  outages,
		quick: budget{dials: 3, faults: 1, dialerSends: 1, listenerSends: 1},
		long:  budget{dials: 3, faults: 2, dialerSends: 2, listenerSends: 1},
	},
	{
		name:  restarts,
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
		name:  expiry,
		quick: budget{dials: 3, faults: 1, expiries: 1, dialerSends: 1, listenerSends: 1},
		long:  budget{dials: 3, faults: 2, expiries: 1, dialerSends: 1, listenerSends: 1},
	},
	{
		name:  closing,
		quick: budget{dials: 2, faults: 1, closes: 1, dialerSends: 1, listenerSends: 1},
		long:  budget{dials: 3, faults: 1, closes: 1, dialerSends: 1, listenerSends: 1},
	},
	{
		name:  "close, and a session that has said Bye waits for its dialer",
		quick: budget{dials: 2, faults: 1, closes: 1, listenerSends: 1},
		long:  budget{dials: 3, faults: 2, closes: 1, listenerSends: 1},
		rules: func(r *rules) { r.waits = true },
	},
	{
		name:  lapses,
		quick: budget{dials: 2, faults: 1, lapses: 1, dialerSends: 1, listenerSends: 1},
		long:  budget{dials: 2, faults: 1, lapses: 1, dialerSends: 2, listenerSends: 1},
	},
}

// Everything that can happen within a scenario: both ends keep what they promise in each state, and
// from each they come to a working connection when nothing more goes wrong.
func TestModelOfTheTwoEnds(t *testing.T) {
	var mu sync.Mutex
	var saw [situations]int
	t.Cleanup(func() {
		for i, n := range saw {
			assert.Positive(t, n, "no scenario came to situation %d of those of model_rules_test.go", i)
		}
	})
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
			mu.Lock()
			defer mu.Unlock()
			for i, yes := range x.saw {
				if yes {
					saw[i]++
				}
			}
		})
	}
}

// The model can fail.
func TestModelFindsMistakes(t *testing.T) {
	for _, mistake := range mistakes {
		t.Run(mistake.name, func(t *testing.T) {
			t.Parallel()
			r := rules{judge: Judge}
			mistake.set(&r)
			i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == mistake.scenario })
			x := newExplorer(r, scenarios[i].long)
			fault := x.run()
			t.Logf("%d states: %s", len(x.states), fault)
			require.Contains(t, fault, mistake.fault)
		})
	}
}
