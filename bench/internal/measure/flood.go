package measure

import (
	"context"
	"math/rand/v2"

	"github.com/netasync/netasync/bench/internal/load"
	"github.com/netasync/netasync/bench/internal/result"
)

// Flood is ping-pong beside one slow consumer that is flooded, against the same server without it.
type Flood struct {
	header
	Conns   int
	Payload int
	times   Times
}

// Measure runs the ping-pong alone and beside the flood, each against a server of its own, so that neither meets a
// warmer one, and in an order that chance decides.
func (f Flood) Measure(ctx context.Context, subject string) (result.Sample, error) {
	s := f.sample(subject, map[string]float64{})
	runs := []func(context.Context, result.Sample) error{f.quiet, f.flooded}
	rand.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
	for _, run := range runs {
		if err := run(ctx, s); err != nil {
			return result.Sample{}, err
		}
	}
	return s, nil
}

func (f Flood) quiet(ctx context.Context, s result.Sample) error {
	seen, _, err := f.beside(ctx, s.Subject)
	s.Values[result.P99] = seen.P99
	return err
}

func (f Flood) flooded(ctx context.Context, s result.Sample) error {
	seen, grown, err := f.beside(ctx, s.Subject, "-flooded")
	s.Values[result.P99Flooded], s.Values[result.Flooded] = seen.P99, float64(grown)
	return err
}

// beside runs the ping-pong, and tells by how many bytes the server grew.
func (f Flood) beside(ctx context.Context, subject string, more ...string) (seen load.Result, grown int64, err error) {
	server, addr, err := f.serve(ctx, subject, "")
	if err != nil {
		return seen, 0, err
	}
	defer server.Kill()
	before, err := server.Usage()
	if err != nil {
		return seen, 0, err
	}
	seen, cost, err := observe(ctx, server, append(loadArgs(addr, f.Conns, 1, f.Payload, f.times), more...))
	if err != nil {
		return seen, 0, err
	}
	return seen, int64(cost.resident) - int64(before.Resident), server.Stop()
}
