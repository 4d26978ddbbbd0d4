package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/netasync/netasync/bench/internal/result"
)

// compared is a case with one subject in both builds, and one figure by round.
func compared(metric string, before, after []float64) *result.File {
	f := &result.File{Rounds: len(after)}
	measured(f, "chan"+result.Before, metric, before)
	measured(f, "chan", metric, after)
	return f
}

func measured(f *result.File, subject, metric string, rounds []float64) {
	for _, v := range rounds {
		sample(f, result.Case{Key: "echo-1x100x16", Title: "a title"}, subject, map[string]float64{metric: v})
	}
}

func TestAChangeHasTheRatioOfItsRoundsAndThatOfItsMedians(t *testing.T) {
	for _, c := range []struct {
		before, after []float64
		want          []string
	}{
		{[]float64{10, 20, 40}, []float64{20, 20, 20}, []string{"1.00", "0.50..2.00", "1.00"}},
		{[]float64{10, 20, 30}, []float64{15, 40, 30}, []string{"1.50", "1.00..2.00", "1.50"}},
		{[]float64{10, 20, 90}, []float64{30, 10, 81}, []string{"0.90", "0.50..3.00", "1.50"}},
		{[]float64{0, 10}, []float64{1, 10}, []string{"–", "–", "1.10"}},       // no ratio of the first round
		{[]float64{10, 10, 10}, []float64{10, 10}, []string{"–", "–", "1.00"}}, // a round failed
		{[]float64{0.001}, []float64{0.004}, []string{"–", "–", "–"}},          // both are written as 0
	} {
		f := compared(result.PerSecond, c.before, c.after)
		one, ok := changeOf(f.Tables[0], "chan", result.PerSecond)
		if got := one.cells(); !ok || !slices.Equal(got, c.want) {
			t.Errorf("%v after %v: got %v, want %v", c.after, c.before, got, c.want)
		}
	}
}

func TestOnlyWhatWasMeasuredTwiceIsAChange(t *testing.T) {
	f := &result.File{Rounds: 1}
	measured(f, "chan", result.PerSecond, []float64{1})
	measured(f, "recv"+result.Before, result.PerSecond, []float64{1})
	if Compares(f) {
		t.Error("compares what was measured once")
	}
	measured(f, "recv", result.PerSecond, []float64{1})
	if !Compares(f) || !slices.Equal(twice(f.Tables[0]), []string{"recv"}) {
		t.Errorf("measured twice: %v", twice(f.Tables[0]))
	}
}

func TestWhatIsMarkedAsWorse(t *testing.T) {
	for _, c := range []struct {
		what   string
		values map[string]float64 // after; all of them are 100 before
		want   string
	}{
		{"fewer messages, more CPU", map[string]float64{result.PerSecond: 94, result.CPU: 106}, "**slower**"},
		{"fewer messages only", map[string]float64{result.PerSecond: 90, result.CPU: 104}, ""},
		{"more CPU only", map[string]float64{result.PerSecond: 96, result.CPU: 120}, ""},
		{"within the slack", map[string]float64{result.PerSecond: 95, result.CPU: 105}, ""},
		{"fewer messages, CPU unknown", map[string]float64{result.PerSecond: 94}, "**slower**"},
		{"more memory", map[string]float64{result.Resident: 106}, "**larger**"},
		{"as much memory", map[string]float64{result.Resident: 105}, ""},
		{"slower in the tail", map[string]float64{result.P99: 200}, ""},
	} {
		f := &result.File{Rounds: 1}
		for metric, after := range c.values {
			measured(f, "chan"+result.Before, metric, []float64{100})
			measured(f, "chan", metric, []float64{after})
		}
		for metric := range c.values {
			if got := mark(f.Tables[0], "chan", metric); got != c.want {
				t.Errorf("%s: %s is marked %q, want %q", c.what, metric, got, c.want)
			}
		}
	}
}

func TestTheTableOfAComparison(t *testing.T) {
	f := compared(result.PerSecond, []float64{100, 200, 300}, []float64{80, 170, 240})
	measured(f, "net", result.PerSecond, []float64{90, 100, 120})
	var text bytes.Buffer
	if err := PrintComparison(&text, f); err != nil {
		t.Fatal(err)
	}
	said := strings.Join(strings.Fields(text.String()), " ")
	for _, want := range []string{
		"**a title** `echo-1x100x16`",
		"| chan | messages/s | 200 | 170 | 0.80 | 0.80..0.85 | 0.85 | **slower** |",
		"| net | messages/s | – | 100 | – | 0.90..1.20 | – | its own rounds |",
		": echo-1x100x16 chan (slower).",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the table does not say %q:\n%s", want, text.String())
		}
	}
	text.Reset()
	if err := PrintComparison(&text, &result.File{}); err != nil || text.Len() > 0 {
		t.Errorf("out of nothing: %q, %v", text.String(), err)
	}
}
