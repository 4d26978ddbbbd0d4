package otelmetrics

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/netasync/netasync"
)

// Source has figures: a *netasync.Engine or a *netasync.Handler.
type Source interface {
	// Totals returns the sums over the sessions of each name.
	Totals() iter.Seq2[string, netasync.Totals]
	// Stats returns the figures that no name has.
	Stats() netasync.Stats
}

// Register makes instruments that show the figures of all sources, each of which is to be given once,
// until Unregister of what it returns is called. What has the same name in several of them is summed.
// So are the figures without a name. A second registration with the same meter would have the same
// series: give it all engines at once.
//
// It holds no other resources, and may stay registered during and after a Shutdown: totals stay what
// they were. Whoever collects visits each session twice, and takes its lock for a moment; that never
// waits for the network or for a callback. An error is the meter's, and then no callback is registered.
func Register(meter metric.Meter, sources ...Source) (metric.Registration, error) {
	r := &reporter{sources: slices.Clone(sources)}
	var err error
	if r.named, err = instrument(meter, named()); err != nil {
		return nil, err
	}
	if r.unnamed, err = instrument(meter, unnamed()); err != nil {
		return nil, err
	}
	var all []metric.Observable
	for _, f := range r.named {
		all = append(all, f.instrument)
	}
	for _, f := range r.unnamed {
		all = append(all, f.instrument)
	}
	registration, err := meter.RegisterCallback(r.report, all...)
	if err != nil {
		return nil, fmt.Errorf("otelmetrics: %w", err)
	}
	return registration, nil
}

// reporter reads its sources when it is asked. It is never written to.
type reporter struct {
	sources []Source
	named   []instrumented[netasync.Totals]
	unnamed []instrumented[netasync.Stats]
}

// instrumented is a family with its instrument.
type instrumented[T any] struct {
	family[T]
	instrument metric.Int64Observable
}

// instrument makes the instruments of some families.
func instrument[T any](meter metric.Meter, families []family[T]) ([]instrumented[T], error) {
	all := make([]instrumented[T], len(families))
	for i, f := range families {
		instrument, err := f.kind(meter, f.name, f.unit, f.about)
		if err != nil {
			return nil, fmt.Errorf("otelmetrics: %w", err)
		}
		all[i] = instrumented[T]{f, instrument}
	}
	return all, nil
}

// report is the callback of all instruments.
func (r *reporter) report(_ context.Context, to metric.Observer) error {
	names, rest := make(map[string]sums), sums{}
	for _, source := range r.sources {
		for name, totals := range source.Totals() {
			name = strings.ToValidUTF8(name, "\uFFFD") // else some exporters refuse all figures
			names[name] = add(names[name], r.named, &totals)
		}
		stats := source.Stats()
		rest = add(rest, r.unnamed, &stats)
	}
	for name, values := range names {
		observe(to, r.named, values, attribute.String("netasync.name", name))
	}
	if len(r.sources) > 0 {
		observe(to, r.unnamed, rest)
	}
	return nil
}

// sums are the values of the series of some families, in their order.
type sums []int64

// add adds the figures of one source.
func add[T any](to sums, families []instrumented[T], figures *T) sums {
	i := 0
	for _, f := range families {
		for _, s := range f.series {
			if i == len(to) {
				to = append(to, 0)
			}
			to[i] += int64(s.value(figures))
			i++
		}
	}
	return to
}

// observe reports sums. All series have the given attributes before their own.
func observe[T any](to metric.Observer, families []instrumented[T], values sums, attributes ...attribute.KeyValue) {
	for _, f := range families {
		for _, s := range f.series {
			all := append(slices.Clone(attributes), s.attributes...)
			to.ObserveInt64(f.instrument, values[0], metric.WithAttributes(all...))
			values = values[1:]
		}
	}
}
