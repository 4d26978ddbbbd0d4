package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// box is a rectangle of a drawing, as it is seen: y grows downwards.
type box struct {
	left, top, right, bottom float64
	what                     string
}

func (b box) overlaps(c box) bool {
	return b.left < c.right && c.left < b.right && b.top < c.bottom && c.top < b.bottom
}

// drawing is what a test looks at: all texts, each as large as it can be in any font that may stand in, and all
// lines that are stroked.
type drawing struct {
	width, height float64
	texts         []box
	lines         []box
}

// matrix is an affine map: x' = ax + cy + e, y' = bx + dy + f.
type matrix struct{ a, b, c, d, e, f float64 }

func (m matrix) times(n matrix) matrix {
	return matrix{
		m.a*n.a + m.c*n.b, m.b*n.a + m.d*n.b, m.a*n.c + m.c*n.d, m.b*n.c + m.d*n.d,
		m.a*n.e + m.c*n.f + m.e, m.b*n.e + m.d*n.f + m.f,
	}
}

// around is the box around two points.
func (m matrix) around(x0, y0, x1, y1 float64, what string) box {
	u0, v0 := m.a*x0+m.c*y0+m.e, m.b*x0+m.d*y0+m.f
	u1, v1 := m.a*x1+m.c*y1+m.e, m.b*x1+m.d*y1+m.f
	return box{min(u0, u1), min(v0, v1), max(u0, u1), max(v0, v1), what}
}

var (
	transforms = regexp.MustCompile(`(scale|translate|rotate)\(([^)]*)\)`)
	fontSize   = regexp.MustCompile(`font-size:([0-9.]+)px`)
	segment    = regexp.MustCompile(`^M([-0-9.e]+),([-0-9.e]+)L([-0-9.e]+),([-0-9.e]+)$`)
)

func transform(t *testing.T, s string) matrix {
	t.Helper()
	m := matrix{a: 1, d: 1}
	for _, one := range transforms.FindAllStringSubmatch(s, -1) {
		v := numbers(t, strings.Split(one[2], ",")...)
		switch one[1] {
		case "scale":
			m = m.times(matrix{a: v[0], d: v[len(v)-1]})
		case "translate":
			m = m.times(matrix{a: 1, d: 1, e: v[0], f: v[1]})
		case "rotate":
			sin, cos := math.Sincos(v[0] * math.Pi / 180)
			m = m.times(matrix{a: cos, b: sin, c: -sin, d: cos})
		}
	}
	return m
}

func numbers(t *testing.T, texts ...string) []float64 {
	t.Helper()
	var out []float64
	for _, s := range texts {
		v, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(s), "pt"), 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// drawn reads a drawing.
func drawn(t *testing.T, path string) drawing {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var d drawing
	at := []matrix{{a: 1, d: 1}}
	decoder := xml.NewDecoder(file)
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return d
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			attrs := map[string]string{}
			for _, a := range e.Attr {
				attrs[a.Name.Local] = a.Value
			}
			m := at[len(at)-1].times(transform(t, attrs["transform"]))
			at = append(at, m)
			switch e.Name.Local {
			case "svg":
				size := numbers(t, strings.Fields(attrs["viewBox"])...)
				d.width, d.height = size[2], size[3]
			case "text":
				var s string
				if err := decoder.DecodeElement(&s, &e); err != nil {
					t.Fatal(err)
				}
				at = at[:len(at)-1]
				d.texts = append(d.texts, written(t, m, attrs, s))
			case "path":
				d.lines = append(d.lines, stroked(t, m, attrs)...)
			}
		case xml.EndElement:
			at = at[:len(at)-1]
		}
	}
}

func written(t *testing.T, m matrix, attrs map[string]string, s string) box {
	t.Helper()
	px := fontSize.FindStringSubmatch(attrs["style"])
	if px == nil {
		t.Fatalf("%q has no size", s)
	}
	size := numbers(t, px[1])[0]
	at := numbers(t, attrs["x"], attrs["y"])
	s = strings.TrimSpace(s) // spaces at the end are not drawn
	width := float64(widest(s, 1)) * size
	return m.around(at[0], at[1]-0.76*size, at[0]+width, at[1]+0.22*size, fmt.Sprintf("%q", s))
}

// stroked are the straight lines of a path that is not filled; axes, ticks and the spread of bars are such.
func stroked(t *testing.T, m matrix, attrs map[string]string) []box {
	t.Helper()
	ends := segment.FindStringSubmatch(attrs["d"])
	if ends == nil || !strings.Contains(attrs["style"], "fill:none") {
		return nil
	}
	v := numbers(t, ends[1:]...)
	return []box{m.around(v[0], v[1], v[2], v[3], "the line "+attrs["d"])}
}
