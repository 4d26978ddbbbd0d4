package report

import (
	"bytes"
	"image/color"
	"os"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/netasync/netasync/bench/internal/result"
)

// Sizes of what is drawn. One unit is 1⅓ pixels where a plot is shown as large as it is.
const (
	plotWidth  = 8.5 * vg.Inch
	lineHeight = 4.5 * vg.Inch // of plots of lines; those of bars are as high as their bars
	titleSize  = vg.Length(13)
	textSize   = vg.Length(11)
	smallSize  = vg.Length(9)
	margin     = vg.Length(10)
	footerLine = 100 // characters, which fit in any font
	footerRow  = vg.Length(11)
	footerGap  = vg.Length(10)
)

// fonts are who else may stand in where the font that gonum measures with is not installed: Arial has the same widths.
const fonts = "font-family:Liberation Sans,Arial,Helvetica,DejaVu Sans,sans-serif"

// ink is the colour of all text that has no reason for another.
var ink = color.RGBA{0x22, 0x22, 0x22, 0xff}

func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = vg.Points(8)
	for _, style := range []*text.Style{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle,
		&p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle,
	} {
		style.Font.Variant, style.Font.Size = "Sans", textSize
		style.Color = ink
	}
	p.Title.TextStyle.Font.Size = titleSize
	p.BackgroundColor = color.White
	return p
}

// footer is the machine and what was compared, in lines that fit.
func footer(m result.Machine) []string {
	return append(wrap(m.String(), footerLine), wrap(m.Libraries(), footerLine)...)
}

// wrap breaks a list of things with commas between them into lines of at most so many characters, unless one thing
// alone is longer.
func wrap(list string, most int) []string {
	var lines []string
	line := ""
	for i, thing := range strings.Split(list, ", ") {
		if i > 0 {
			line += ","
		}
		switch {
		case line == "":
			line = thing
		case len([]rune(line+" "+thing)) < most: // with room for a comma
			line += " " + thing
		default:
			lines, line = append(lines, line), thing
		}
	}
	return append(lines, line)
}

// save writes a plot with a margin around it, and below it where and with what its figures were made. It has a
// background of its own, and is readable on a dark page, too. The footer's height comes on top of the plot's.
func save(p *plot.Plot, m result.Machine, height vg.Length, path string) error {
	lines := footer(m)
	below := margin + footerRow*vg.Length(len(lines)) + footerGap
	height += margin + below
	c, err := draw.NewFormattedCanvas(plotWidth, height, "svg")
	if err != nil {
		return err
	}
	whole := draw.New(c)
	whole.FillPolygon(color.White, []vg.Point{{}, {X: plotWidth}, {X: plotWidth, Y: height}, {Y: height}})
	p.Draw(draw.Crop(whole, margin, -margin, below, -margin))
	for i, line := range lines {
		at := vg.Point{X: margin, Y: margin + footerRow*(vg.Length(len(lines)-1-i)+0.5)}
		whole.FillText(letters(ink, smallSize), at, line)
	}
	var svg bytes.Buffer
	if _, err := c.WriteTo(&svg); err != nil {
		return err
	}
	out := bytes.ReplaceAll(svg.Bytes(), []byte("font-family:Liberation Sans"), []byte(fonts))
	return os.WriteFile(path, out, 0o644)
}

// widest is the room that a text needs in whatever font is there: more than gonum measures, since not every reader
// has the font that it measures with.
func widest(s string, size vg.Length) vg.Length {
	return vg.Length(utf8.RuneCountInString(s)) * size * 0.63
}

// letters are written from a point to the right, with their middle at its height.
func letters(c color.Color, size vg.Length) text.Style {
	face := font.Font{Typeface: plot.DefaultFont.Typeface, Variant: "Sans", Size: size}
	return text.Style{Color: c, Font: face, YAlign: text.YCenter, Handler: plot.DefaultTextHandler}
}

// bold is a weight of package golang.org/x/image/font.
const bold = 2

func heading(c color.Color) text.Style {
	style := letters(c, textSize)
	style.Font.Weight = bold
	return style
}
