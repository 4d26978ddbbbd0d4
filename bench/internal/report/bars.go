package report

import (
	"fmt"
	"image/color"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"github.com/netasync/netasync/bench/internal/result"
)

const (
	plotWidth  = 9 * vg.Inch
	plotHeight = 4.5 * vg.Inch
	widestBar  = 13 * vg.Millimeter
)

// The library's own bars stand out from what they are compared with.
var (
	ownColor   = color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}
	otherColor = color.RGBA{R: 0xb0, G: 0xb8, B: 0xc0, A: 0xff}
	own        = []string{
		"chan", "recv", "iter", "handler", "inline", "netasync", "netasync-resume", "broadcast", "drop", "close", "latest",
	}
)

// shown says which metric the bars of a case show: the first of these that it has.
var shown = []column{
	{result.PerSecond, "messages per second", 1},
	{result.Resident, "resident bytes per session (lower is better)", 1},
	{result.AllAgain, "seconds until all talk again (lower is better)", 1},
	{result.P99Flooded, "p99 of the others, µs (lower is better)", 1},
	{result.Last, "µs until the last has it (lower is better)", 1},
	{result.Besides, "p99 beside ten that never read ÷ without (lower is better)", 1},
}

// latencyFirst are the cases where the time of one message is the point.
var latencyFirst = map[string]column{
	"pingpong-1":    {result.P50, "median round trip, µs (lower is better)", 1},
	"pingpong-100":  {result.P99, "p99 of the round trip, µs (lower is better)", 1},
	"pair-pingpong": {result.P50, "median round trip, µs (lower is better)", 1},
	"call-1":        {result.P50, "median time of a call, µs (lower is better)", 1},
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
		if err := bars(f, t, c, filepath.Join(dir, t.Key+".svg")); err != nil {
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

// barData is what one bar chart shows, and what plotter wants to know of its error bars and labels.
type barData struct {
	names   []string
	ours    plotter.Values
	others  plotter.Values
	heights plotter.XYs
	errors  plotter.YErrors
	labels  []string
}

func (b barData) Len() int                         { return b.heights.Len() }
func (b barData) XY(i int) (x, y float64)          { return b.heights.XY(i) }
func (b barData) YError(i int) (low, high float64) { return b.errors.YError(i) }
func (b *barData) add(subject, name string, f *result.Figure) {
	mine, theirs := f.Median, 0.0
	if !slices.Contains(own, subject) {
		mine, theirs = 0, f.Median
	}
	at := plotter.XY{X: float64(len(b.names)), Y: f.Median}
	b.heights = append(b.heights, at)
	b.errors = append(b.errors, struct{ Low, High float64 }{f.Median - f.Min, f.Max - f.Median})
	b.names = append(b.names, name)
	b.ours, b.others = append(b.ours, mine), append(b.others, theirs)
	b.labels = append(b.labels, number(f.Median))
}

func bars(f *result.File, t *result.Table, c column, path string) error {
	var data barData
	for _, r := range t.Rows {
		name := r.Subject
		if quiet := r.Figures[result.P99]; quiet != nil && c.metric == result.P99Flooded {
			data.add(r.Subject, name+"\nwithout", quiet)
			name += "\nbeside"
		}
		if figure := r.Figures[c.metric]; figure != nil {
			data.add(r.Subject, name, figure)
		}
	}
	p := newPlot(f, t.Title)
	p.Y.Label.Text, p.Y.Min = c.name, 0
	p.Y.Tick.Marker = plot.TickerFunc(linearTicks)
	p.NominalX(data.names...)
	if err := data.draw(p); err != nil {
		return err
	}
	p.X.Min, p.X.Max = -0.6, float64(len(data.names))-0.4
	p.Y.Max *= 1.08 // room for the labels
	return p.Save(plotWidth, plotHeight, path)
}

// draw adds the bars, their spread and their labels.
func (b *barData) draw(p *plot.Plot) error {
	width := min(widestBar, plotWidth*0.7/vg.Length(len(b.names)))
	for i, values := range []plotter.Values{b.ours, b.others} {
		chart, err := plotter.NewBarChart(values, width)
		if err != nil {
			return err
		}
		chart.Color, chart.LineStyle.Width = []color.Color{ownColor, otherColor}[i], 0
		p.Add(chart)
	}
	spread, err := plotter.NewYErrorBars(b)
	if err != nil {
		return err
	}
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: b.heights, Labels: b.labels})
	if err != nil {
		return err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].Font.Variant, labels.TextStyle[i].Font.Size = "Sans", vg.Points(9)
		labels.TextStyle[i].XAlign = text.XCenter
	}
	labels.Offset = vg.Point{Y: 4}
	p.Add(spread, labels)
	return nil
}

// newPlot is a plot that says where and with what its figures were made.
func newPlot(f *result.File, title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text = f.Machine.String() + "\n" + f.Machine.Libraries()
	for _, style := range []*text.Style{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle,
		&p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle,
	} {
		style.Font.Variant = "Sans"
	}
	p.X.Label.TextStyle.Font.Size = vg.Points(8)
	p.X.Label.Padding = vg.Points(6)
	p.BackgroundColor = color.White
	p.Title.TextStyle.Font.Size = vg.Points(13)
	return p
}
