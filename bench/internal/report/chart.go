package report

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// chart draws horizontal bars, one below the other from 0 downwards, with a heading above each kind: a bar, the
// spread of its rounds, and behind both the median as a figure.
type chart struct {
	rows []chartRow
	most float64 // of all figures
}

// chartRow is a bar or, where that has no figure, a heading.
type chartRow struct {
	heading string
	bar
}

func newChart(bars []bar) *chart {
	c := &chart{}
	for i, b := range bars {
		if b.kind < len(kinds) && (i == 0 || bars[i-1].kind != b.kind) {
			c.rows = append(c.rows, chartRow{heading: kinds[b.kind].name, bar: bar{kind: b.kind}})
		}
		if b.kind == len(kinds) && i > 0 && bars[i-1].kind != b.kind {
			c.rows = append(c.rows, chartRow{bar: bar{kind: b.kind}}) // a gap before what has no kind
		}
		c.rows = append(c.rows, chartRow{bar: b})
		c.most = max(c.most, b.figure.Max)
	}
	return c
}

// names is the room that the names of the bars need.
func (c *chart) names() vg.Length {
	var most vg.Length
	for _, r := range c.rows {
		most = max(most, widest(r.name, textSize))
	}
	return most + labelGap
}

// Shares of a row's height, and distances.
const (
	barShare = 0.68
	capShare = 0.26
	labelGap = vg.Length(5)
)

// Plot is called by gonum.
func (c *chart) Plot(canvas draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&canvas)
	zero := x(0)
	for i, r := range c.rows {
		at := -float64(i)
		middle := y(at)
		if r.figure == nil {
			canvas.FillText(heading(kindAt(r.kind).ours), vg.Point{X: canvas.Min.X, Y: middle}, r.heading)
			continue
		}
		fill := kindAt(r.kind).others
		if r.ours {
			fill = kindAt(r.kind).ours
		}
		top, bottom, end := y(at+barShare/2), y(at-barShare/2), x(r.figure.Median)
		canvas.FillPolygon(fill, []vg.Point{{X: zero, Y: bottom}, {X: end, Y: bottom}, {X: end, Y: top}, {X: zero, Y: top}})
		c.spread(canvas, x(r.figure.Min), x(r.figure.Max), middle, y(at+capShare)-middle)
		canvas.FillText(letters(ink, textSize), vg.Point{X: canvas.Min.X, Y: middle}, r.name)
		canvas.FillText(letters(ink, textSize), vg.Point{X: x(r.figure.Max) + labelGap, Y: middle}, number(r.figure.Median))
	}
	axis := draw.LineStyle{Color: color.RGBA{0x77, 0x77, 0x77, 0xff}, Width: vg.Points(0.75)}
	canvas.StrokeLine2(axis, zero, canvas.Min.Y, zero, canvas.Max.Y)
	canvas.StrokeLine2(axis, zero, canvas.Min.Y, canvas.Max.X, canvas.Min.Y)
}

// spread draws from the least to the most of the rounds, with a cap at both ends.
func (c *chart) spread(canvas draw.Canvas, least, most, at, half vg.Length) {
	style := draw.LineStyle{Color: color.RGBA{0x33, 0x33, 0x33, 0xff}, Width: vg.Points(1)}
	canvas.StrokeLine2(style, least, at, most, at)
	canvas.StrokeLine2(style, least, at-half, least, at+half)
	canvas.StrokeLine2(style, most, at-half, most, at+half)
}
