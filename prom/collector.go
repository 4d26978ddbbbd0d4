package prom

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/netasync/netasync"
)

// Source has figures: a *netasync.Engine or a *netasync.Handler.
type Source interface {
	// Totals returns the sums over the sessions of each name.
	Totals() iter.Seq2[string, netasync.Totals]
	// Stats returns the figures that no name has.
	Stats() netasync.Stats
}

// NewCollector returns a collector of the figures of all sources, each of which is to be given once.
// What has the same name in several of them is summed. So are the figures without a name.
//
// A registry takes one such collector: give it all engines at once. A second one would have the same
// series, unless prometheus.WrapRegistererWith gives it a label of its own.
//
// It holds no resources, and may be used during and after a Shutdown: totals stay what they were.
// A scrape visits each session twice, and takes its lock for a moment; it never waits for the network
// or for a callback.
func NewCollector(sources ...Source) prometheus.Collector {
	return &collector{slices.Clone(sources), describe(named(), "name"), describe(unnamed())}
}

// collector reads its sources when it is asked. It is never written to.
type collector struct {
	sources []Source
	named   []described[netasync.Totals]
	unnamed []described[netasync.Stats]
}

// described is a family with its descriptor.
type described[T any] struct {
	family[T]
	desc *prometheus.Desc
}

// describe gives families their descriptors. The labels come before those of the family.
func describe[T any](families []family[T], labels ...string) []described[T] {
	all := make([]described[T], len(families))
	for i, f := range families {
		all[i] = described[T]{f, prometheus.NewDesc(f.name, f.help, append(slices.Clone(labels), f.labels...), nil)}
	}
	return all
}

// Describe sends all descriptors there are.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range c.named {
		out <- f.desc
	}
	for _, f := range c.unnamed {
		out <- f.desc
	}
}

// Collect sends what the figures are now.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	names, rest := make(map[string]sums), sums{}
	for _, source := range c.sources {
		for name, totals := range source.Totals() {
			name = strings.ToValidUTF8(name, "\uFFFD") // else Prometheus refuses the whole scrape
			names[name] = add(names[name], c.named, &totals)
		}
		stats := source.Stats()
		rest = add(rest, c.unnamed, &stats)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		emit(out, c.named, names[name], name)
	}
	if len(c.sources) > 0 {
		emit(out, c.unnamed, rest)
	}
}

// sums are the values of the series of some families, in their order. They are integers until all is
// added, so that a float64 is as exact as it can be.
type sums []uint64

// add adds the figures of one source.
func add[T any](to sums, families []described[T], figures *T) sums {
	i := 0
	for _, f := range families {
		for _, s := range f.series {
			if i == len(to) {
				to = append(to, 0)
			}
			to[i] += s.value(figures)
			i++
		}
	}
	return to
}

// emit sends sums as metrics. The labels come before those of the series.
func emit[T any](out chan<- prometheus.Metric, families []described[T], values sums, labels ...string) {
	for _, f := range families {
		for _, s := range f.series {
			all := append(slices.Clone(labels), s.labels...)
			out <- prometheus.MustNewConstMetric(f.desc, f.kind, float64(values[0]), all...)
			values = values[1:]
		}
	}
}
