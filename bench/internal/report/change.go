package report

import (
	"slices"

	"github.com/netasync/netasync/bench/internal/result"
)

// slack is by which part of a figure a change may make it worse before its line is marked.
const slack = 0.05

// leastOf is what something may be divided by: smaller figures are written as 0 (an allocation now
// and then, which is the process's own), and their ratios say nothing.
const leastOf = 0.005

// change is one figure of one subject in both builds.
type change struct {
	before, after *result.Figure
	rounds        []float64 // after ÷ before of each round by itself
}

func changeOf(t *result.Table, subject, metric string) (change, bool) {
	c := change{before: figure(t, subject+result.Before, metric), after: figure(t, subject, metric)}
	if c.before == nil || c.after == nil {
		return c, false
	}
	// Where a round failed, nobody knows which ones belong together.
	if len(c.before.Rounds) != len(c.after.Rounds) {
		return c, true
	}
	for i, before := range c.before.Rounds {
		if before < leastOf {
			c.rounds = nil
			break
		}
		c.rounds = append(c.rounds, c.after.Rounds[i]/before)
	}
	return c, true
}

func figure(t *result.Table, subject, metric string) *result.Figure {
	for _, r := range t.Rows {
		if r.Subject == subject {
			return r.Figures[metric]
		}
	}
	return nil
}

// cells are the median of the rounds' own ratios, their spread, and the ratio of the medians. The
// first is what counts: the two runs of a round come one after the other, so that what else the
// machine does hits both.
func (c change) cells() []string {
	ofRounds, spread, ofMedians := "–", "–", "–"
	if len(c.rounds) > 0 {
		ofRounds = trim(result.Median(c.rounds))
		spread = trim(slices.Min(c.rounds)) + ".." + trim(slices.Max(c.rounds))
	}
	if c.before.Median >= leastOf {
		ofMedians = trim(c.after.Median / c.before.Median)
	}
	return []string{ofRounds, spread, ofMedians}
}

// fell and rose tell whether the figure became less or more by over the slack.
func (c change) fell() bool { return len(c.rounds) > 0 && result.Median(c.rounds) < 1-slack }
func (c change) rose() bool { return len(c.rounds) > 0 && result.Median(c.rounds) > 1+slack }

// slower tells whether a subject does fewer messages and takes more CPU for each. Throughput alone
// is also the generator's; it decides where there is no other figure.
func slower(t *result.Table, subject string) bool {
	speed, ok := changeOf(t, subject, result.PerSecond)
	if !ok || !speed.fell() {
		return false
	}
	cpu, ok := changeOf(t, subject, result.CPU)
	return !ok || cpu.rose()
}

func larger(t *result.Table, subject string) bool {
	memory, ok := changeOf(t, subject, result.Resident)
	return ok && memory.rose()
}

// mark is what stands behind a line.
func mark(t *result.Table, subject, metric string) string {
	switch metric {
	case result.PerSecond, result.CPU:
		if slower(t, subject) {
			return "**slower**"
		}
	case result.Resident:
		if larger(t, subject) {
			return "**larger**"
		}
	}
	return ""
}
