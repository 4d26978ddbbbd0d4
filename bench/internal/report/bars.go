package report

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"github.com/netasync/netasync/bench/internal/result"
)

// shown says which metric the bars of a case show: the first of these that it has.
var shown = []column{
	{result.PerSecond, "messages per second, higher is better", 1},
	{result.Resident, "resident bytes per session, lower is better", 1},
	{result.AllAgain, "seconds until all talk again, lower is better", 1},
	{result.P99Flooded, "p99 of the others, µs, lower is better", 1},
	{result.Last, "µs until the last has it, lower is better", 1},
	{result.Besides, "p99 beside ten that never read ÷ without, lower is better", 1},
}

// latencyFirst are the cases where the time of one message is the point.
var latencyFirst = map[string]column{
	"pingpong-1":    {result.P50, "median round trip, µs, lower is better", 1},
	"pingpong-100":  {result.P99, "p99 of the round trip, µs, lower is better", 1},
	"pair-pingpong": {result.P50, "median round trip, µs, lower is better", 1},
	"call-1":        {result.P50, "median time of a call, µs, lower is better", 1},
}

// Bars draws one SVG per case into dir.
func Bars(f *result.File, dir string) error {
	for _, t := range f.Tables {
		if t.Family != "" {
			continue
		}
		c, ok := metricOf(t)
		if !ok {
			continue
		}
		if err := drawBars(f, t, c, filepath.Join(dir, t.Key+".svg")); err != nil {
			return fmt.Errorf("%s: %w", t.Key, err)
		}
	}
	return nil
}

func metricOf(t *result.Table) (column, bool) {
	if c, ok := latencyFirst[t.Key]; ok && present(t, c.metric) {
		return c, true
	}
	for _, c := range shown {
		if present(t, c.metric) {
			return c, true
		}
	}
	return column{}, false
}

// bar is one line of a chart.
type bar struct {
	kind   int
	ours   bool
	name   string
	figure *result.Figure
}

// barsOf are the bars of a case by kind, this library first in each.
func barsOf(t *result.Table, c column) []bar {
	var bars []bar
	rows := slices.Clone(t.Rows)
	if sorted(t.Key) {
		slices.SortStableFunc(rows, func(a, b *result.Row) int { return order(a.Subject) - order(b.Subject) })
	}
	for _, r := range rows {
		one := bar{ours: isOurs(r.Subject), name: strings.ReplaceAll(nameIn(t.Key, r.Subject), "`", ""), figure: r.Figures[c.metric]}
		if one.kind = len(kinds); sorted(t.Key) {
			one.kind, _ = kindOf(r.Subject)
		}
		if quiet := r.Figures[result.P99]; quiet != nil && c.metric == result.P99Flooded {
			alone := one
			alone.figure = quiet
			bars = append(bars, alone)
			one.name = "– beside a slow one"
		}
		if one.figure != nil {
			bars = append(bars, one)
		}
	}
	return bars
}

// order is by kind, and in it as the kind has it.
func order(subject string) int {
	k, place := kindOf(subject)
	return 100*k + place
}

// Heights of what a chart of bars consists of.
const (
	barRow    = vg.Length(19)
	barMargin = vg.Length(76) // for title and axis
)

func drawBars(f *result.File, t *result.Table, c column, path string) error {
	chart := newChart(barsOf(t, c))
	p := newPlot(t.Title + "\n" + c.name)
	// The names stand at the left of the bars, the figures at their right.
	left, right := chart.names(), widest("12.3M", textSize)+2*labelGap
	perPoint := chart.most / float64(plotWidth-2*margin-left-right)
	p.X.Min, p.X.Max = -perPoint*float64(left), chart.most+perPoint*float64(right)
	p.X.Tick.Marker, p.X.LineStyle.Width = plot.TickerFunc(positiveTicks), 0
	p.Y.Min, p.Y.Max = -float64(len(chart.rows))+0.4, 0.6
	p.HideY()
	p.Add(chart)
	return save(p, f.Machine, barRow*vg.Length(len(chart.rows))+barMargin, path)
}
