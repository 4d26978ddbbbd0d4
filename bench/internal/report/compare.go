package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/netasync/netasync/bench/internal/result"
)

// changing are the figures that a comparison shows.
var changing = []column{
	{result.PerSecond, "messages/s", 1},
	{result.CPU, "CPU ns/message", 1},
	{result.Allocations, "allocs/message", 1},
	{result.P50, "p50 µs", 1},
	{result.P99, "p99 µs", 1},
	{result.P99Flooded, "p99 µs flooded", 1},
	{result.Resident, "resident KiB/session", 1 << 10},
	{result.GoMemory, "Go heap+stack KiB/session", 1 << 10},
	{result.HeartbeatCPU, "CPU µs/heartbeat", 1},
}

// Compares tells whether a run measured anything in two builds.
func Compares(f *result.File) bool {
	return slices.ContainsFunc(f.Tables, func(t *result.Table) bool { return len(twice(t)) > 0 })
}

// twice are the subjects of a case that were measured in both builds.
func twice(t *result.Table) []string {
	var subjects []string
	for _, r := range t.Rows {
		both := func(c column) bool { _, ok := changeOf(t, r.Subject, c.metric); return ok }
		if slices.ContainsFunc(changing, both) {
			subjects = append(subjects, r.Subject)
		}
	}
	return subjects
}

// PrintComparison writes a Markdown table for each case that was measured in two builds, and names
// what became worse.
func PrintComparison(w io.Writer, f *result.File) error {
	if !Compares(f) {
		return nil
	}
	fmt.Fprintf(w, "\nafter ÷ before, %d rounds, %s\n", f.Rounds, f.Machine)
	var worse []string
	for _, t := range f.Tables {
		subjects := twice(t)
		if len(subjects) == 0 {
			continue
		}
		if err := printChanges(w, t, subjects); err != nil {
			return err
		}
		for _, s := range subjects {
			if slower(t, s) {
				worse = append(worse, t.Key+" "+s+" (slower)")
			}
			if larger(t, s) {
				worse = append(worse, t.Key+" "+s+" (larger)")
			}
		}
	}
	if len(worse) == 0 {
		worse = []string{"nothing"}
	}
	_, err := fmt.Fprintf(w, "\nMore than %.0f %% worse, in messages per second and CPU both, "+
		"or in resident memory: %s.\n", slack*100, strings.Join(worse, ", "))
	return err
}

func printChanges(w io.Writer, t *result.Table, subjects []string) error {
	fmt.Fprintf(w, "\n**%s** `%s`\n\n", t.Title, t.Key)
	tab := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	line := func(cells ...string) { fmt.Fprintln(tab, "| "+strings.Join(cells, "\t| ")+"\t|") }
	line("subject", "figure", "before", "after", "÷ by round", "least..most", "÷ of medians", "")
	line("---", "---", "---", "---", "---", "---", "---", "---")
	for _, s := range subjects {
		for _, c := range changing {
			one, ok := changeOf(t, s, c.metric)
			if !ok || queued(t.Key, c.metric) {
				continue
			}
			cells := []string{s, c.name, number(one.before.Median / c.scale), number(one.after.Median / c.scale)}
			line(append(append(cells, one.cells()...), mark(t, s, c.metric))...)
		}
	}
	for _, r := range t.Rows {
		yardstick := !slices.Contains(subjects, strings.TrimSuffix(r.Subject, result.Before))
		if name, after, spread, ok := steadiness(r); ok && yardstick {
			line(r.Subject, name, "–", after, "–", spread, "–", "its own rounds")
		}
	}
	return tab.Flush()
}

// queued tells whether a latency is only the time in the queue: with many messages under way it
// says the same as messages per second.
func queued(key, metric string) bool {
	latency := metric == result.P50 || metric == result.P99
	return latency && (strings.HasPrefix(key, "echo-") || strings.HasPrefix(key, "sessions-"))
}

// steadiness is what a yardstick tells about the run: by how much its own rounds lie beside their
// median. Nothing smaller than that was measured of a change, either.
func steadiness(r *result.Row) (name, median, spread string, ok bool) {
	for _, c := range changing {
		if f := r.Figures[c.metric]; f != nil && f.Median > 0 {
			return c.name, number(f.Median / c.scale), trim(f.Min/f.Median) + ".." + trim(f.Max/f.Median), true
		}
	}
	return "", "", "", false
}
