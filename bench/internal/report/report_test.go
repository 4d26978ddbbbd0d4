package report

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/plot/plotter"

	"github.com/netasync/netasync/bench/internal/result"
)

func sample(f *result.File, c result.Case, subject string, values map[string]float64) {
	f.Add(c, result.Sample{Subject: subject, Values: values, Latency: []result.Quantile{{Percent: 0, Micros: 1}, {Percent: 50, Micros: 2}, {Percent: 99, Micros: 9}}})
}

func verdict(t *testing.T, f *result.File, what string) result.Verdict {
	t.Helper()
	for _, v := range Judge(f) {
		if v.What == what {
			return v
		}
	}
	t.Fatalf("no target %q", what)
	return result.Verdict{}
}

func TestRatiosAreOfMediansAndTheirSpreadOfRounds(t *testing.T) {
	f := &result.File{Rounds: 3}
	c := result.Case{Key: "echo-100x100x16"}
	for i := range 3 {
		sample(f, c, "chan", map[string]float64{result.PerSecond: []float64{30, 20, 60}[i]})
		sample(f, c, "netchan", map[string]float64{result.PerSecond: []float64{10, 20, 30}[i]})
	}
	v := verdict(t, f, "echo-100x100x16: chan ÷ netchan")
	if v.Value != 1.5 || v.Min != 1 || v.Max != 3 || v.Reached != result.ReachedLeast {
		t.Errorf("got %+v", v)
	}
}

func TestWhatCountsAsReached(t *testing.T) {
	for _, c := range []struct {
		lower bool
		value float64
		want  string
	}{
		{false, 2, result.ReachedAim}, {false, 1.9, result.ReachedLeast}, {false, 0.9, result.FellShort},
		{true, 1, result.ReachedAim}, {true, 1.5, result.ReachedLeast}, {true, 2.1, result.FellShort},
	} {
		one := target{lower: c.lower, least: 1, aim: 2, value: func(look) (float64, bool) { return c.value, true }}
		if c.lower {
			one.least, one.aim = 2, 1
		}
		if got := one.judge(&result.File{}).Reached; got != c.want {
			t.Errorf("lower %v, %v: %q, want %q", c.lower, c.value, got, c.want)
		}
	}
}

func TestBestOfTheRivalsIsTheYardstick(t *testing.T) {
	f := &result.File{Rounds: 1}
	c := result.Case{Key: "pair-pingpong"}
	sample(f, c, "netasync", map[string]float64{result.P50: 30})
	sample(f, c, "getty", map[string]float64{result.P50: 1}) // has no channels
	const what = "pair-pingpong p50_us: netasync ÷ best of mangos, zmq4, nats-chan"
	for i, rival := range chanRivals {
		if v := verdict(t, f, what); v.Reached != result.NotMeasured {
			t.Errorf("judged by %d of the rivals: %+v", i, v)
		}
		sample(f, c, rival, map[string]float64{result.P50: []float64{80, 60, 90}[i]})
	}
	if v := verdict(t, f, what); v.Value != 0.5 || v.Reached != result.ReachedAim {
		t.Errorf("got %+v", v)
	}
}

// A ratio between this library and another one says something only if both are of one kind.
func TestTargetsCompareLikeWithLike(t *testing.T) {
	compared := 0
	for _, one := range targets() {
		_, subjects, ok := strings.Cut(one.what, ": ")
		ours, theirs, divided := strings.Cut(subjects, " ÷ ")
		if !ok || !divided || !sorted(one.what) || strings.HasPrefix(one.what, "idle") {
			continue
		}
		compared++
		mine, _ := kindOf(ours)
		for rival := range strings.SplitSeq(strings.TrimPrefix(theirs, "best of "), ", ") {
			if k, _ := kindOf(rival); k != mine || k == len(kinds) {
				t.Errorf("%s: %s is not of the kind of %s", one.what, rival, ours)
			}
		}
	}
	if compared < 30 {
		t.Errorf("only %d targets compare", compared)
	}
}

func TestWhatIsMissingIsNotMeasured(t *testing.T) {
	for _, v := range Judge(&result.File{Rounds: 5}) {
		if v.Reached != result.NotMeasured {
			t.Errorf("%s: %q out of nothing", v.What, v.Reached)
		}
	}
}

func TestExponentOfGrowth(t *testing.T) {
	square := plotter.XYs{{X: 1, Y: 3}, {X: 10, Y: 300}, {X: 100, Y: 30000}}
	if all, last, ok := (curve{}).exponents(square); !ok || math.Abs(all-2) > 1e-9 || math.Abs(last-2) > 1e-9 {
		t.Errorf("quadratic growth has exponents %v, %v", all, last)
	}
	flat := plotter.XYs{{X: 1, Y: 5}, {X: 100, Y: 5}}
	if all, last, ok := (curve{whole: true}).exponents(flat); !ok || math.Abs(all-1) > 1e-9 || math.Abs(last-1) > 1e-9 {
		t.Errorf("a constant cost each has exponents %v, %v", all, last)
	}
	late := plotter.XYs{{X: 1, Y: 5}, {X: 10, Y: 5}, {X: 100, Y: 5}, {X: 1000, Y: 500}}
	if all, last, _ := (curve{}).exponents(late); all > 1 || last < 1.9 {
		t.Errorf("cost that only grows in the end has exponents %v, %v", all, last)
	}
}

func TestTablesAndPlots(t *testing.T) {
	f := &result.File{Rounds: 1, Notes: []string{"a note"}}
	for _, subject := range []string{"chan", "net"} {
		values := map[string]float64{
			result.PerSecond: 1234567, result.P50: 1, result.P99: 2, result.P99Flooded: 3, result.CPU: 100, result.Resident: 900,
		}
		sample(f, result.Case{Key: distributed, Title: "a title"}, subject, values)
		for _, scale := range []float64{1, 100} {
			sample(f, result.Case{Key: "s" + number(scale), Family: "sessions", Scale: scale}, subject, values)
		}
	}
	f.Verdicts = Judge(f)
	var text bytes.Buffer
	if err := Print(&text, f); err != nil {
		t.Fatal(err)
	}
	if err := PrintGrowth(&text, f); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a title", "1.23M", "a note", "not measured", "how cost grows"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the tables do not say %q", want)
		}
	}
	dir := t.TempDir()
	for _, draw := range []func(*result.File, string) error{Bars, Distribution, GrowthPlots} {
		if err := draw(f, dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{distributed, "latency", "growth-sessions-cpu"} {
		svg, err := os.ReadFile(filepath.Join(dir, name+".svg"))
		if err != nil || !bytes.Contains(svg, []byte("<svg")) {
			t.Errorf("%s.svg: %v", name, err)
		}
	}
}
