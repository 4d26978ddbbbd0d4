package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/netasync/netasync/bench/internal/result"
)

// column is one metric as a table shows it.
type column struct {
	metric string
	name   string
	scale  float64 // the figure is divided by this
}

var columns = []column{
	{result.PerSecond, "messages/s", 1},
	{result.P50, "p50 µs", 1},
	{result.P99, "p99 µs", 1},
	{result.P99Flooded, "p99 µs flooded", 1},
	{result.Flooded, "MiB grown", 1 << 20},
	{result.CPU, "CPU ns/message", 1},
	{result.LoadCPU, "generator's", 1},
	{result.Allocations, "allocs/message", 1},
	{result.Resident, "resident B/session", 1},
	{result.GoMemory, "Go heap+stack B/session", 1},
	{result.Opened, "opened/s", 1},
	{result.HeartbeatCPU, "CPU µs/heartbeat", 1},
	{result.HalfAgain, "half again s", 1},
	{result.AllAgain, "all again s", 1},
	{result.PeakDials, "peak dials/s", 1},
	{result.Last, "last has it µs", 1},
	{result.P99Beside, "p99 µs beside 10 silent", 1},
	{result.Besides, "beside ÷ without", 1},
	{result.CPUMember, "CPU ns/member and message", 1},
	{result.Heap, "heap MiB", 1 << 20},
	{result.Bandwidth, "MB/s", 1},
	{result.Descriptors, "descriptors between", 1},
	{result.Again, "again ms", 1},
	{result.AgainLast, "last again ms", 1},
	{result.Left, "left ms", 1},
	{result.Free, "free ms", 1},
	{result.NameOwner, "B/name", 1},
	{result.NameReplica, "B/name elsewhere", 1},
	{result.Claim, "µs/claim", 1},
	{result.Replicated, "elsewhere ms", 1},
	{result.Joined, "at a new node ms", 1},
	{result.Started, "started ms", 1},
	{result.Binary, "MiB", 1 << 20},
	{result.Stripped, "MiB stripped", 1 << 20},
}

// Print writes the whole run as text: a table per case with medians and their spread, then the verdicts.
func Print(w io.Writer, f *result.File) error {
	fmt.Fprintf(w, "%s\nmedians of %d rounds (least..most)\n", f.Machine, f.Rounds)
	for _, t := range f.Tables {
		if err := printCase(w, t); err != nil {
			return err
		}
	}
	if len(f.Verdicts) > 0 {
		if err := printVerdicts(w, f.Verdicts); err != nil {
			return err
		}
	}
	for _, note := range f.Notes {
		fmt.Fprintf(w, "\nnote: %s\n", note)
	}
	for _, failure := range f.Failures {
		fmt.Fprintf(w, "\nFAILED: %s\n", failure)
	}
	return nil
}

func printCase(w io.Writer, t *result.Table) error {
	fmt.Fprintf(w, "\n%s [%s]\n", t.Title, t.Key)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var shown []column
	for _, c := range columns {
		if present(t, c.metric) {
			shown = append(shown, c)
		}
	}
	names := []string{""}
	for _, c := range shown {
		names = append(names, c.name)
	}
	fmt.Fprintln(tab, strings.Join(names, "\t"))
	for _, r := range t.Rows {
		cells := []string{r.Subject}
		for _, c := range shown {
			cells = append(cells, cell(r.Figures[c.metric], c.scale))
		}
		fmt.Fprintln(tab, strings.Join(cells, "\t"))
	}
	return tab.Flush()
}

func present(t *result.Table, metric string) bool {
	for _, r := range t.Rows {
		if r.Figures[metric] != nil {
			return true
		}
	}
	return false
}

func cell(f *result.Figure, scale float64) string {
	if f == nil {
		return "–"
	}
	if len(f.Rounds) == 1 {
		return number(f.Median / scale)
	}
	return fmt.Sprintf("%s (%s..%s)", number(f.Median/scale), number(f.Min/scale), number(f.Max/scale))
}

// number writes three significant digits.
func number(v float64) string {
	a := math.Abs(v)
	switch {
	case a >= 999_500:
		return trim(v/1e6) + "M"
	case a >= 9_995:
		return trim(v/1e3) + "k"
	case a < 0.005:
		return "0"
	default:
		return trim(v)
	}
}

func trim(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func printVerdicts(w io.Writer, verdicts []result.Verdict) error {
	fmt.Fprintf(w, "\nwhat must be reached (ratio of medians; spread of the rounds' own ratios)\n")
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "\tat least\taim\tmeasured\t\treached")
	for _, v := range verdicts {
		sign := "≥"
		if v.Lower {
			sign = "≤"
		}
		measured, spread := "–", ""
		if v.Reached != result.NotMeasured {
			measured, spread = trim(v.Value), fmt.Sprintf("(%s..%s)", trim(v.Min), trim(v.Max))
		}
		fmt.Fprintf(tab, "%s\t%s %s\t%s %s\t%s\t%s\t%s\n", v.What, sign, trim(v.Least), sign, trim(v.Aim), measured, spread, v.Reached)
	}
	return tab.Flush()
}
