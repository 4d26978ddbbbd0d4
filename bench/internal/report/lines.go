package report

import (
	"math"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"github.com/netasync/netasync/bench/internal/result"
)

// legendShare is the part of the plotted area that the legend takes, at the right; legendWidth is what it needs, and
// besideIt what stands at the left of the area.
const (
	legendShare = 0.35
	legendWidth = vg.Length(176)
	besideIt    = vg.Length(56)
)

// legend has its texts behind the lines, so that they go where there is room whatever the font.
func legend(p *plot.Plot) {
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.XOffs = plotWidth - 2*margin - besideIt - legendWidth
	p.Legend.ThumbnailWidth, p.Legend.Padding = vg.Points(24), vg.Points(3)
}

// distributed is the case whose distribution of latencies is drawn.
const distributed = "pingpong-100"

// Distribution draws the latencies of every subject against the number of nines into dir.
func Distribution(f *result.File, dir string) error {
	for _, t := range f.Tables {
		if t.Key != distributed {
			continue
		}
		p := newPlot("Round trips, " + t.Title)
		p.Y.Label.Text = "µs"
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicksBeside)
		p.X.Tick.Marker = plot.ConstantTicks(nines())
		rows := slices.Clone(t.Rows)
		slices.SortStableFunc(rows, func(a, b *result.Row) int { return order(a.Subject) - order(b.Subject) })
		for _, r := range rows {
			if err := addLine(p, r.Subject, tail(r.Latency)); err != nil {
				return err
			}
		}
		legend(p)
		p.X.Max = ninesOf(99.99) / (1 - legendShare)
		return save(p, f.Machine, lineHeight, filepath.Join(dir, "latency.svg"))
	}
	return nil
}

// ninesOf is where a percentile stands on the axis: 0 for 0 %, 1 for 90 %, 2 for 99 %.
func ninesOf(percent float64) float64 { return -math.Log10(1 - percent/100) }

func nines() []plot.Tick {
	var ticks []plot.Tick
	for _, label := range []struct {
		percent float64
		text    string
	}{{0, "0 %"}, {50, "50 %"}, {90, "90 %"}, {99, "99 %"}, {99.9, "99.9 %"}, {99.99, "99.99 %"}} {
		ticks = append(ticks, plot.Tick{Value: ninesOf(label.percent), Label: label.text})
	}
	return ticks
}

func tail(q []result.Quantile) plotter.XYs {
	var points plotter.XYs
	for _, point := range q {
		if point.Micros > 0 {
			points = append(points, plotter.XY{X: ninesOf(point.Percent), Y: point.Micros})
		}
	}
	return points
}

// addLine draws one subject in the colour of its kind: this library with a solid line, what stands beside it with a
// dashed one, and each with marks of its own.
func addLine(p *plot.Plot, subject string, points plotter.XYs) error {
	if len(points) == 0 {
		return nil
	}
	line, marks, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	k, place := kindOf(subject)
	line.Color, line.Width = kindAt(k).ours, vg.Points(1.5)
	if !isOurs(subject) {
		line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	}
	marks.Color, marks.Shape, marks.Radius = line.Color, plotutil.Shape(place), vg.Points(3)
	p.Add(line, marks)
	p.Legend.Add(nameIn("", subject), line, marks)
	return nil
}
