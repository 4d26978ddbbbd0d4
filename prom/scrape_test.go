package prom_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/prom"
)

var (
	_ prom.Source = (*netasync.Engine)(nil)
	_ prom.Source = (*netasync.Handler)(nil)
)

var update = flag.Bool("update", false, "write testdata anew")

// gather makes one scrape through a registry that checks all it can, and wants names and texts to be as
// Prometheus' rules have them.
func gather(t testing.TB, sources ...prom.Source) []*dto.MetricFamily {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(prom.NewCollector(sources...)))
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	require.Empty(t, problems)
	families, err := registry.Gather()
	require.NoError(t, err)
	return families
}

// figures are the values of a scrape by series, such as a_total{b="c"}.
type figures map[string]float64

// scrape returns all figures of some sources.
func scrape(t testing.TB, sources ...prom.Source) figures {
	t.Helper()
	return flatten(gather(t, sources...))
}

func flatten(families []*dto.MetricFamily) figures {
	all := figures{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			if labels != nil {
				key += "{" + strings.Join(labels, ",") + "}"
			}
			all[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() // it is one of the two
		}
	}
	return all
}

// String has a line for each series, in order.
func (f figures) String() string {
	var lines []string
	for key, value := range f {
		lines = append(lines, fmt.Sprintf("%s %.0f\n", key, value))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// requireGolden wants a text to be that of a file in testdata.
func requireGolden(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile("testdata/"+file, []byte(text), 0o644))
	}
	want, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	require.Equal(t, string(want), text, "go test -update writes it anew")
}
