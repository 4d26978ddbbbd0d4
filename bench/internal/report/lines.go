package report

import (
	"math"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"github.com/netasync/netasync/bench/internal/result"
)

// distributed is the case whose distribution of latencies is drawn.
const distributed = "pingpong-100"

// Distribution draws the latencies of every subject against the number of nines into dir.
func Distribution(f *result.File, dir string) error {
	for _, t := range f.Tables {
		if t.Key != distributed {
			continue
		}
		p := newPlot(f, "Round trips, "+t.Title)
		p.Y.Label.Text = "µs"
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicks)
		p.X.Tick.Marker = plot.ConstantTicks(nines())
		for i, r := range t.Rows {
			if err := addLine(p, i, r.Subject, tail(r.Latency)); err != nil {
				return err
			}
		}
		p.Legend.Top = true
		p.X.Max = ninesOf(99.99) + 0.7 // room for the legend
		return p.Save(plotWidth, plotHeight, filepath.Join(dir, "latency.svg"))
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

// addLine draws one subject in the i-th colour and shape.
func addLine(p *plot.Plot, i int, name string, points plotter.XYs) error {
	if len(points) == 0 {
		return nil
	}
	line, marks, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	line.Color, marks.Color, marks.Shape = plotutil.Color(i), plotutil.Color(i), plotutil.Shape(i)
	line.Width = vg.Points(1.5)
	p.Add(line, marks)
	p.Legend.Add(name, line, marks)
	return nil
}
