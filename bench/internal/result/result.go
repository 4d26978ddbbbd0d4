// Package result is what a run of the benchmark brings home: samples, their medians, and the file they are kept in.
package result

import (
	"encoding/json"
	"os"
	"slices"
	"sort"
	"strings"

	"gonum.org/v1/gonum/stat"
)

// The figures that a sample may hold, each with its unit in its name.
const (
	PerSecond    = "messages_per_s"
	P50          = "p50_us"
	P99          = "p99_us"
	P99Flooded   = "p99_flooded_us"
	Flooded      = "flooded_growth_bytes"
	Allocations  = "allocations_per_message"
	CPU          = "server_cpu_ns_per_message"
	LoadCPU      = "generator_cpu_ns_per_message"
	Resident     = "resident_bytes_per_session"
	GoMemory     = "go_bytes_per_session"
	Opened       = "sessions_opened_per_s"
	HeartbeatCPU = "server_cpu_us_per_heartbeat"
	HalfAgain    = "half_talk_again_s"
	AllAgain     = "all_talk_again_s"
	PeakDials    = "peak_dials_per_s"
	Last         = "last_has_it_us"
	CPUMember    = "server_cpu_ns_per_member_and_message"
	Heap         = "heap_bytes"
	P99Beside    = "p99_beside_silent_us"
	Besides      = "p99_beside_silent_ratio"
	Bandwidth    = "megabytes_per_s"
	Descriptors  = "descriptors_between_per_connection"
	Again        = "another_node_answers_ms"
	AgainLast    = "another_node_answers_the_last_ms"
	Left         = "members_have_left_ms"
	Free         = "name_is_free_ms"
	NameOwner    = "heap_bytes_per_name_at_its_node"
	NameReplica  = "heap_bytes_per_name_elsewhere"
	Claim        = "claim_us"
	Replicated   = "another_node_has_all_ms"
	Joined       = "a_new_node_has_all_ms"
	Started      = "started_ms"
	Binary       = "binary_bytes"
	Stripped     = "stripped_binary_bytes"
)

// Before ends the name of a subject of a comparison that runs from the other build, the one before
// the change.
const Before = "@before"

// Case says what is measured. Family and Scale place the cases of the growth measurements on their axis.
type Case struct {
	Key    string  `json:"key"`
	Title  string  `json:"title"`
	Family string  `json:"family,omitempty"`
	Scale  float64 `json:"scale,omitempty"`
}

// Quantile is one point of a latency distribution.
type Quantile struct {
	Percent float64 `json:"percent"`
	Micros  float64 `json:"us"`
}

// Sample is one subject in one case in one round.
type Sample struct {
	Subject string
	Values  map[string]float64
	Latency []Quantile
}

// Figure is one metric of one subject over all rounds.
type Figure struct {
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Rounds []float64 `json:"rounds"`
}

// Row is one subject in one case.
type Row struct {
	Subject string             `json:"subject"`
	Figures map[string]*Figure `json:"figures"`
	Latency []Quantile         `json:"latency,omitempty"` // medians, point by point
	points  [][]float64        // of Latency, by round
}

// Table is one case.
type Table struct {
	Case
	Rows []*Row `json:"rows"`
}

// Verdict is one figure that the library must reach, and whether it did.
type Verdict struct {
	What    string  `json:"what"`
	Lower   bool    `json:"lower_is_better,omitempty"`
	Least   float64 `json:"at_least"`
	Aim     float64 `json:"aim"`
	Value   float64 `json:"measured"` // of the medians
	Min     float64 `json:"min"`      // of the rounds, each by itself
	Max     float64 `json:"max"`
	Reached string  `json:"reached"` // one of the words below
}

// What a verdict may say.
const (
	ReachedAim   = "aim"
	ReachedLeast = "at least"
	FellShort    = "short"
	NotMeasured  = "not measured"
)

// File is a whole run.
type File struct {
	Machine  Machine   `json:"machine"`
	Rounds   int       `json:"rounds"`
	Tables   []*Table  `json:"cases"`
	Verdicts []Verdict `json:"targets,omitempty"`
	Notes    []string  `json:"notes,omitempty"`
	Failures []string  `json:"failures,omitempty"`
}

// Add puts a sample into its place. Rounds of one subject are expected in order.
func (f *File) Add(c Case, s Sample) {
	row := f.table(c).row(s.Subject)
	for metric, value := range s.Values {
		figure := row.Figures[metric]
		if figure == nil {
			figure = &Figure{}
			row.Figures[metric] = figure
		}
		figure.add(value)
	}
	row.addLatency(s.Latency)
}

func (f *File) table(c Case) *Table {
	for _, t := range f.Tables {
		if t.Key == c.Key {
			return t
		}
	}
	t := &Table{Case: c}
	f.Tables = append(f.Tables, t)
	return t
}

func (t *Table) row(subject string) *Row {
	for _, r := range t.Rows {
		if r.Subject == subject {
			return r
		}
	}
	r := &Row{Subject: subject, Figures: map[string]*Figure{}}
	t.Rows = append(t.Rows, r)
	sort.Slice(t.Rows, func(i, j int) bool { return place(t.Rows[i].Subject) < place(t.Rows[j].Subject) })
	return r
}

// place orders the subjects of a table: this library first, then what it is compared with. What
// runs from the build before comes right behind the same from this one.
func place(subject string) int {
	subject, before := strings.CutSuffix(subject, Before)
	if before {
		return 2*rank(subject) + 1
	}
	return 2 * rank(subject)
}

func rank(subject string) int {
	order := []string{
		"chan", "recv", "iter", "handler", "inline", "netasync", "netasync-resume",
		"local", "remote", "stream", "direct", "relay", "broadcast", "drop", "close", "latest", "loop", "loop-shared",
		"net", "netchan", "gnet", "netpoll", "erlang", "mangos", "zmq4", "websocket", "nats-hand", "nats", "melody", "getty", "byhand",
		"proxy", "kill", "stop", "names", "alone", "three", "plain", "node",
	}
	if i := slices.Index(order, subject); i >= 0 {
		return i
	}
	return len(order)
}

func (f *Figure) add(value float64) {
	f.Rounds = append(f.Rounds, value)
	f.Median = Median(f.Rounds)
	f.Min, f.Max = slices.Min(f.Rounds), slices.Max(f.Rounds)
}

// addLatency takes one round's distribution in: each point becomes the median of its rounds.
func (r *Row) addLatency(q []Quantile) {
	for i, point := range q {
		if i == len(r.Latency) {
			r.Latency = append(r.Latency, Quantile{Percent: point.Percent})
			r.points = append(r.points, nil)
		}
		r.points[i] = append(r.points[i], point.Micros)
		r.Latency[i].Micros = Median(r.points[i])
	}
}

// Median is the middle value, or the mean of the two in the middle.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	upper := stat.Quantile(0.5, stat.Empirical, sorted, nil)
	if len(sorted)%2 == 1 {
		return upper
	}
	return (upper + sorted[len(sorted)/2]) / 2
}

// Lookup finds the figure of a subject in a case; nil if it was not measured.
func (f *File) Lookup(key, subject, metric string) *Figure {
	for _, t := range f.Tables {
		if t.Key != key {
			continue
		}
		for _, r := range t.Rows {
			if r.Subject == subject {
				return r.Figures[metric]
			}
		}
	}
	return nil
}

// Write keeps the run in a file.
func (f *File) Write(path string) error {
	raw, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}

// Read reads such a file.
func Read(path string) (*File, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &File{}
	return f, json.Unmarshal(raw, f)
}
