package measure

import (
	"context"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/result"
)

// Flood is ping-pong beside one slow consumer that is flooded, against the same server without it.
type Flood struct {
	header
	Conns   int
	Payload int
	times   Times
}

// Measure runs the ping-pong alone first, then beside the flood, against one server process.
func (f Flood) Measure(ctx context.Context, subject string) (result.Sample, error) {
	server, addr, err := child.StartServer(ctx, serverArgs(subject, "")...)
	if err != nil {
		return result.Sample{}, err
	}
	defer server.Kill()
	args := loadArgs(addr, f.Conns, 1, f.Payload, f.times)
	quiet, _, err := observe(ctx, server, args)
	if err != nil {
		return result.Sample{}, err
	}
	before, err := server.Usage()
	if err != nil {
		return result.Sample{}, err
	}
	flooded, cost, err := observe(ctx, server, append(args, "-flooded"))
	if err != nil {
		return result.Sample{}, err
	}
	after, err := server.Usage()
	if err != nil {
		return result.Sample{}, err
	}
	return f.sample(subject, map[string]float64{
		result.P99:        quiet.P99,
		result.P99Flooded: flooded.P99,
		result.Flooded:    float64(max(cost.grown, int64(after.Resident)-int64(before.Resident))),
	}), server.Stop()
}
