package load

import (
	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/netasync/netasync/bench/internal/result"
)

// Latencies are kept in nanoseconds, from 100 ns to a minute, with two significant digits: finer than any
// difference between two rounds.
const (
	lowest  = 100
	highest = 60_000_000_000
	digits  = 2
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(lowest, highest, digits) }

// plotted are the percentiles that a distribution keeps: the axis of the plot is the number of nines.
var plotted = []float64{0, 10, 25, 50, 75, 90, 95, 97, 98, 99, 99.5, 99.9, 99.95, 99.99}

func quantiles(h *hdrhistogram.Histogram) []result.Quantile {
	out := make([]result.Quantile, len(plotted))
	for i, p := range plotted {
		out[i] = result.Quantile{Percent: p, Micros: micros(h, p)}
	}
	return out
}

func micros(h *hdrhistogram.Histogram, percentile float64) float64 {
	return float64(h.ValueAtPercentile(percentile)) / 1e3
}
