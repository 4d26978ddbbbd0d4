package measure

import (
	"context"

	"github.com/netasync/netasync/bench/internal/result"
)

// Calls are requests and replies, with both ends a library's own, over one connection.
type Calls struct {
	header
	Window  int
	Payload int
	times   Times
}

// Measure starts both ends. CPU is that of the answering one, which is the broker, too, where there is one.
func (c Calls) Measure(ctx context.Context, subject string) (result.Sample, error) {
	program, library := c.program(subject)
	server, addr, err := program.StartServer(ctx, "call-server", "-library", library)
	if err != nil {
		return result.Sample{}, err
	}
	defer server.Kill()
	seen, cost, err := observe(ctx, server, []string{"call-client", "-library", library, "-addr", addr,
		"-window", itoa(c.Window), "-payload", itoa(c.Payload),
		"-warm", c.times.Warm.String(), "-measure", c.times.Measure.String()})
	if err != nil {
		return result.Sample{}, err
	}
	values := map[string]float64{
		result.PerSecond:   seen.PerSec,
		result.CPU:         float64(cost.cpu) / float64(seen.Messages),
		result.LoadCPU:     float64(cost.load) / float64(seen.Messages),
		result.Allocations: float64(cost.mallocs) / float64(seen.Messages),
	}
	if c.Window == 1 {
		values[result.P50], values[result.P99] = seen.P50, seen.P99
	}
	s := c.sample(subject, values)
	s.Latency = seen.Latency
	return s, server.Stop()
}
