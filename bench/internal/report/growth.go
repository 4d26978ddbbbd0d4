package report

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/netasync/netasync/bench/internal/result"
)

// curve is one way in which cost may grow. Whole is what the figure is multiplied with to become the cost of the
// whole: a cost per session times the sessions.
type curve struct {
	family string
	metric string
	title  string
	name   string // of the file
	whole  bool
	cost   bool // growth beyond linear is a fault; otherwise the curve is only drawn
}

// curves are the growth measurements, by family of cases as the measuring package names them.
var curves = []curve{
	{"sessions", result.PerSecond, "messages per second", "growth-sessions-throughput", false, false},
	{"sessions", result.P99, "p99, µs", "growth-sessions-p99", false, true},
	{"sessions", result.CPU, "server CPU per message, ns", "growth-sessions-cpu", true, true},
	{"idle sessions", result.Resident, "resident bytes per session", "growth-sessions-memory", true, true},
	{"payload", result.PerSecond, "messages per second", "growth-payload-throughput", false, false},
	{"payload", result.CPU, "server CPU per message, ns", "growth-payload-cpu", false, true},
	{"loops", result.PerSecond, "messages per second", "growth-loops-throughput", false, false},
}

// points of one subject, by scale.
func (c curve) points(f *result.File) (map[string]plotter.XYs, []string) {
	points := map[string]plotter.XYs{}
	var subjects []string
	for _, t := range f.Tables {
		if t.Family != c.family {
			continue
		}
		for _, r := range t.Rows {
			figure := r.Figures[c.metric]
			if figure == nil || figure.Median <= 0 {
				continue
			}
			if points[r.Subject] == nil {
				subjects = append(subjects, r.Subject)
			}
			points[r.Subject] = append(points[r.Subject], plotter.XY{X: t.Scale, Y: figure.Median})
		}
	}
	for _, p := range points {
		sort.Slice(p, func(i, j int) bool { return p[i].X < p[j].X })
	}
	return points, subjects
}

// GrowthPlots draws every curve into dir.
func GrowthPlots(f *result.File, dir string) error {
	for _, c := range curves {
		points, subjects := c.points(f)
		if len(subjects) == 0 {
			continue
		}
		p := newPlot(c.title + " by " + c.family)
		p.X.Label.Text = c.family
		p.Y.Label.Text = c.title
		p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
		p.Y.Tick.Marker = plot.TickerFunc(logTicksBeside)
		slices.SortStableFunc(subjects, func(a, b string) int { return order(a) - order(b) })
		for _, subject := range subjects {
			if err := addLine(p, subject, points[subject]); err != nil {
				return err
			}
		}
		legend(p)
		p.X.Tick.Marker = logTicksTo(p.X.Max)
		p.X.Max *= math.Pow(p.X.Max/p.X.Min, legendShare/(1-legendShare))
		if err := save(p, f.Machine, lineHeight, filepath.Join(dir, c.name+".svg")); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// exponents fit cost = a·scale^x and return x, 1 being linear growth: over all points, and over the last two. The
// first points are mostly what something costs anyhow, so that the whole fit alone would look linear whatever came.
func (c curve) exponents(points plotter.XYs) (all, last float64, ok bool) {
	n := len(points)
	if n < 2 {
		return 0, 0, false
	}
	var x, y []float64
	for _, p := range points {
		cost := p.Y
		if c.whole {
			cost *= p.X
		}
		x, y = append(x, math.Log(p.X)), append(y, math.Log(cost))
	}
	_, all = stat.LinearRegression(x, y, nil, false)
	return all, (y[n-1] - y[n-2]) / (x[n-1] - x[n-2]), true
}

// PrintGrowth tells for each cost how it grows with the scale: cost = a·scale^x.
func PrintGrowth(w io.Writer, f *result.File) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	heading := "\nhow cost grows: x in cost = a·scale^x, 1 is linear; over all, and over the last step\n"
	for _, c := range curves {
		points, subjects := c.points(f)
		var cells []string
		for _, subject := range subjects {
			if all, last, ok := c.exponents(points[subject]); ok && c.cost {
				cells = append(cells, fmt.Sprintf("%s %.2f, %.2f", subject, all, last))
			}
		}
		if len(cells) > 0 {
			what := c.title
			if c.whole {
				what += ", all together"
			}
			fmt.Fprint(tab, heading)
			heading = ""
			fmt.Fprintf(tab, "%s by %s\t%s\n", what, c.family, strings.Join(cells, "\t"))
		}
	}
	return tab.Flush()
}
