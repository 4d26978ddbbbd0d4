package otelmetrics_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/otelmetrics"
)

var (
	_ otelmetrics.Source = (*netasync.Engine)(nil)
	_ otelmetrics.Source = (*netasync.Handler)(nil)
)

// newReader returns a reader of the figures of some sources, and what ends the registration.
func newReader(t testing.TB, sources ...otelmetrics.Source) (reader *sdk.ManualReader, unregister func() error) {
	t.Helper()
	reader = sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	registration, err := otelmetrics.Register(provider.Meter("test"), sources...)
	require.NoError(t, err)
	return reader, registration.Unregister
}

// collect returns all metrics that a reader sees.
func collect(t testing.TB, reader *sdk.ManualReader) []metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	if len(all.ScopeMetrics) == 0 {
		return nil
	}
	require.Len(t, all.ScopeMetrics, 1)
	require.Equal(t, instrumentation.Scope{Name: "test"}, all.ScopeMetrics[0].Scope)
	return all.ScopeMetrics[0].Metrics
}

// figures are values by series, named as package prom names them.
type figures map[string]int64

// scrape returns all figures of some sources.
func scrape(t testing.TB, sources ...otelmetrics.Source) figures {
	t.Helper()
	reader, _ := newReader(t, sources...)
	return flatten(t, collect(t, reader))
}

// flatten translates names: netasync.x is netasync_x, counters end with _total, and labels are the last
// words of attributes.
func flatten(t testing.TB, metrics []metricdata.Metrics) figures {
	t.Helper()
	all := figures{}
	for _, m := range metrics {
		sum, ok := m.Data.(metricdata.Sum[int64])
		require.True(t, ok, "%T", m.Data)
		require.Equal(t, metricdata.CumulativeTemporality, sum.Temporality)
		name := strings.Replace(m.Name, ".", "_", 1)
		if sum.IsMonotonic {
			name += "_total"
		}
		for _, point := range sum.DataPoints {
			labels := map[string]string{}
			for _, a := range point.Attributes.ToSlice() {
				key := string(a.Key)
				labels[key[strings.LastIndex(key, ".")+1:]] = a.Value.AsString()
			}
			require.Len(t, labels, point.Attributes.Len())
			var texts []string
			for _, key := range slices.Sorted(maps.Keys(labels)) {
				texts = append(texts, fmt.Sprintf("%s=%q", key, labels[key]))
			}
			key := name
			if texts != nil {
				key += "{" + strings.Join(texts, ",") + "}"
			}
			require.NotContains(t, all, key)
			all[key] = point.Value
		}
	}
	return all
}

// String has a line for each series, in order.
func (f figures) String() string {
	var lines []string
	for key, value := range f {
		lines = append(lines, fmt.Sprintf("%s %d\n", key, value))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// ofProm returns a file of package prom.
func ofProm(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile("../prom/" + file)
	require.NoError(t, err)
	return string(text)
}

// Both packages have the same script.
func TestSameScript(t *testing.T) {
	body := func(text string) string {
		_, after, found := strings.Cut(text, "\nimport (")
		require.True(t, found)
		return after
	}
	ours, err := os.ReadFile("script_test.go")
	require.NoError(t, err)
	require.Equal(t, body(ofProm(t, "script_test.go")), body(string(ours)))
}

// The README's table is that of the instruments, and the texts are those of package prom.
func TestReadmeTable(t *testing.T) {
	table := "| instrument | kind | unit | attributes | |\n|---|---|---|---|---|\n"
	reader, _ := newReader(t, everything())
	theirs := ofProm(t, "README.md")
	for _, m := range collect(t, reader) {
		sum := m.Data.(metricdata.Sum[int64])
		kind := "up-down counter"
		if sum.IsMonotonic {
			kind = "counter"
		}
		table += fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", m.Name, kind, m.Unit, attributes(sum), m.Description)
		require.Contains(t, theirs, "| "+m.Description+" |")
	}
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	old := regexp.MustCompile(`(?m)^\| instrument \|(.*\n\|)*.*\n`)
	require.Len(t, old.FindAll(text, -1), 1)
	if *update {
		text = old.ReplaceAllLiteral(text, []byte(table))
		require.NoError(t, os.WriteFile("README.md", text, 0o644))
	}
	require.Equal(t, table, string(old.Find(text)), "go test -update writes it anew")
}

// attributes describes the attributes of an instrument, with their values.
func attributes(sum metricdata.Sum[int64]) string {
	values := map[string][]string{}
	for _, point := range sum.DataPoints {
		for _, a := range point.Attributes.ToSlice() {
			key, value := string(a.Key), a.Value.AsString()
			if !slices.Contains(values[key], value) {
				values[key] = append(values[key], value)
			}
		}
	}
	var all []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		text := "`" + key + "`"
		if key != "netasync.name" {
			slices.Sort(values[key])
			text += " (" + strings.Join(values[key], ", ") + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}
