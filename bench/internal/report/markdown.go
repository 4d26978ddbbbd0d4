package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netasync/netasync/bench/internal/result"
)

// shownIn is a column of a Markdown table: one figure of one case.
type shownIn struct {
	heading string
	key     string
	metric  string
	scale   float64 // the figure is divided by this
}

// The tables of bench/README.md.
var (
	serverColumns = []shownIn{
		{"16 B × 100 × 100 connections, messages/s", "echo-100x100x16", result.PerSecond, 1},
		{"the server's CPU for each, ns", "echo-100x100x16", result.CPU, 1},
		{"16 B × 100, one connection", "echo-1x100x16", result.PerSecond, 1},
		{"1 KiB × 10 × 100 connections", "echo-100x10x1k", result.PerSecond, 1},
		{"64 KiB × 4 × 10 connections", "echo-10x4x64k", result.PerSecond, 1},
		{"one at a time, p50 µs", "pingpong-1", result.P50, 1},
		{"100 connections so, p99 µs", distributed, result.P99, 1},
	}
	endColumns = []shownIn{
		{"16 B × 1000, messages/s", "pair-16", result.PerSecond, 1},
		{"128 B × 1000", "pair-128", result.PerSecond, 1},
		{"64 KiB × 16", "pair-64k", result.PerSecond, 1},
		{"one at a time, p50 µs", "pair-pingpong", result.P50, 1},
	}
	idleColumns = []shownIn{
		{"resident KiB for each", "idle", result.Resident, 1 << 10},
		{"Go's heap and stacks, KiB", "idle", result.GoMemory, 1 << 10},
		{"CPU of a heartbeat, µs", "idle", result.HeartbeatCPU, 1},
	}
	callColumns = []shownIn{
		{"p50 of one, µs", "call-1", result.P50, 1},
		{"the answering process's CPU for it, µs", "call-1", result.CPU, 1e3},
		{"calls per second, 100 under way", "call-100", result.PerSecond, 1},
		{"CPU for each, µs", "call-100", result.CPU, 1e3},
	}
	smallBroadcasts = broadcastColumns("1 to 10,000 × 128 B", "broadcast-10000x128")
	largeBroadcasts = broadcastColumns("1 to 1,000 × 64 KiB", "broadcast-1000x64k")
	besideColumns   = []shownIn{{"p99 beside ten that never read ÷ without", "broadcast-beside", result.Besides, 1}}
)

func broadcastColumns(title, key string) []shownIn {
	return []shownIn{
		{title + ": the last has it, ms", key, result.Last, 1e3},
		{"CPU for each member, µs", key, result.CPUMember, 1e3},
		{"heap, MiB", key, result.Heap, 1 << 20},
	}
}

// tableOf has a line for each subject of the columns' cases, by kind where there are kinds.
func tableOf(f *result.File, columns []shownIn) string {
	subjects := subjectsOf(f, columns)
	byKind := sorted(columns[0].key)
	headings, rule := []string{""}, "| --- |"
	if byKind {
		headings, rule = []string{"", ""}, "| --- | --- |"
	}
	for _, c := range columns {
		headings = append(headings, c.heading)
		rule += " --- |"
	}
	lines, last := []string{line(headings...), rule}, -1
	for _, s := range subjects {
		var cells []string
		if byKind {
			k, _ := kindOf(s)
			cells = []string{""}
			if k != last && k < len(kinds) {
				cells[0] = "**" + kinds[k].name + "**"
			}
			last = k
		}
		cells = append(cells, nameIn(columns[0].key, s))
		for _, c := range columns {
			cells = append(cells, cell(f.Lookup(c.key, s, c.metric), c.scale))
		}
		lines = append(lines, line(cells...))
	}
	return strings.Join(lines, "\n") + "\n"
}

// subjectsOf are all who are measured in any of the columns, in the order in which a plot has them.
func subjectsOf(f *result.File, columns []shownIn) []string {
	var subjects []string
	for _, c := range columns {
		for _, t := range f.Tables {
			for _, r := range t.Rows {
				if t.Key == c.key && r.Figures[c.metric] != nil && !slices.Contains(subjects, r.Subject) {
					subjects = append(subjects, r.Subject)
				}
			}
		}
	}
	if sorted(columns[0].key) {
		slices.SortStableFunc(subjects, func(a, b string) int { return order(a) - order(b) })
	}
	return subjects
}

// plotsOf shows the plots of the columns' cases that were measured.
func plotsOf(f *result.File, columns []shownIn) string {
	text := ""
	for _, t := range f.Tables {
		if slices.ContainsFunc(columns, func(c shownIn) bool { return c.key == t.Key }) {
			text += fmt.Sprintf("\n![%s](results/%s.svg)", t.Title, t.Key)
		}
	}
	if text == "" {
		return ""
	}
	return text + "\n"
}

func line(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |" }

// targetTable is what the library promises, and what of it was reached.
func targetTable(f *result.File) string {
	lines := []string{line("ratio", "at least", "aim", "measured", ""), line("---", "---", "---", "---", "---")}
	for _, v := range Judge(f) {
		if strings.HasPrefix(v.What, "broadcast") && v.Reached == result.NotMeasured {
			continue // they have a run of their own
		}
		what := v.What
		if v.Lower {
			what += " (lower is better)"
		}
		lines = append(lines, line(what, trim(v.Least), trim(v.Aim), ratioCell(v), v.Reached))
	}
	return strings.Join(lines, "\n") + "\n"
}

func ratioCell(v result.Verdict) string {
	if v.Reached == result.NotMeasured {
		return "–"
	}
	return fmt.Sprintf("%s (%s..%s)", trim(v.Value), trim(v.Min), trim(v.Max))
}

// aboutRun says when and where.
func aboutRun(f *result.File) string {
	commit, modified, _ := strings.Cut(f.Machine.Commit, ",")
	text := fmt.Sprintf("Measured on %s: medians of %d interleaved rounds, in brackets the least and the most of them", f.Machine, f.Rounds)
	if commit != "" {
		text += fmt.Sprintf("; commit %.7s%s", commit, strings.Replace(modified, " modified", " with changes", 1))
	}
	text += ".\n"
	if libraries := f.Machine.Libraries(); libraries != "" {
		text += "Beside it: " + libraries + ".\n"
	}
	return text
}
