package measure

import (
	"context"

	"github.com/netasync/netasync/bench/internal/load"
	"github.com/netasync/netasync/bench/internal/result"
)

// Pair is a message library with both ends its own, one connection.
type Pair struct {
	header
	Window  int
	Payload int
	times   Times
}

// Measure starts both ends, from the same build.
func (p Pair) Measure(ctx context.Context, subject string) (result.Sample, error) {
	program, library := p.program(subject)
	server, addr, err := program.StartServer(ctx, "pair-server", "-library", library)
	if err != nil {
		return result.Sample{}, err
	}
	defer server.Kill()
	client, err := program.Start(ctx, "pair-client", "-library", library, "-addr", addr,
		"-window", itoa(p.Window), "-payload", itoa(p.Payload),
		"-warm", p.times.Warm.String(), "-measure", p.times.Measure.String())
	if err != nil {
		return result.Sample{}, err
	}
	defer client.Kill()
	var seen load.Result
	if err := client.Result(&seen); err != nil {
		return result.Sample{}, err
	}
	values := map[string]float64{result.PerSecond: seen.PerSec}
	if p.Window == 1 {
		values[result.P50], values[result.P99] = seen.P50, seen.P99
	}
	s := p.sample(subject, values)
	s.Latency = seen.Latency
	return s, server.Stop()
}
