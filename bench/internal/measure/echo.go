package measure

import (
	"context"
	"fmt"
	"time"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/load"
	"github.com/netasync/netasync/bench/internal/result"
)

// Echo is an echo server under the load generator.
type Echo struct {
	header
	Conns   int
	Window  int
	Payload int
	Loops   int // of the server; 0 for its own choice
	beam    Beam
	times   Times
}

// Measure starts the server and the generator, and asks the server for its figures at both ends of the measured
// time, so that opening connections counts neither as CPU nor as allocations. The server sends no heartbeat in all
// that time: the generator takes it for a lie, and where thousands of connections are opened on a busy machine, the
// first may be silent for long.
func (e Echo) Measure(ctx context.Context, subject string) (result.Sample, error) {
	server, addr, err := e.serve(ctx, subject, e.beam, "-loops", itoa(e.Loops), "-heartbeat", "1m")
	if err != nil {
		return result.Sample{}, err
	}
	defer server.Kill()
	seen, cost, err := observe(ctx, server, e.loadArgs(addr))
	if err != nil {
		return result.Sample{}, err
	}
	values := map[string]float64{
		result.PerSecond: seen.PerSec,
		result.P50:       seen.P50,
		result.P99:       seen.P99,
		result.CPU:       float64(cost.cpu) / float64(seen.Messages),
		result.LoadCPU:   float64(cost.load) / float64(seen.Messages),
	}
	if subject != Erlang {
		values[result.Allocations] = float64(cost.mallocs) / float64(seen.Messages)
	}
	s := e.sample(subject, values)
	s.Latency = seen.Latency
	return s, server.Stop()
}

func (e Echo) loadArgs(addr string) []string {
	return loadArgs(addr, e.Conns, e.Window, e.Payload, e.times)
}

func loadArgs(addr string, conns, window, payload int, t Times) []string {
	return []string{"load", "-addr", addr, "-conns", itoa(conns), "-window", itoa(window), "-payload", itoa(payload),
		"-warm", t.Warm.String(), "-measure", t.Measure.String()}
}

func serverArgs(kind string, beam Beam, more ...string) []string {
	return append([]string{"server", "-kind", kind, "-beam", string(beam)}, more...)
}

// cost is what was used in the measured time.
type cost struct {
	cpu      time.Duration // of the server
	load     time.Duration // CPU of the generator
	mallocs  uint64        // of the server
	resident uint64        // bytes of the server in the end
}

// observe runs one load and reads what it costs the server.
func observe(ctx context.Context, server *child.Process, args []string) (load.Result, cost, error) {
	var seen load.Result
	generator, err := child.This.Start(ctx, args...)
	if err != nil {
		return seen, cost{}, err
	}
	defer generator.Kill()
	before, err := snapshot(server, generator, child.Begin)
	if err != nil {
		return seen, cost{}, err
	}
	after, err := snapshot(server, generator, child.End)
	if err != nil {
		return seen, cost{}, err
	}
	if err := generator.Result(&seen); err != nil {
		return seen, cost{}, err
	}
	return seen, cost{
		cpu:      after.CPU - before.CPU,
		load:     after.load - before.load,
		mallocs:  after.Mallocs - before.Mallocs,
		resident: after.Resident,
	}, nil
}

type picture struct {
	child.Usage
	child.Stats
	load time.Duration // CPU of the generator
}

// snapshot waits for an event of the generator and reads the figures.
func snapshot(server, generator *child.Process, event string) (picture, error) {
	if _, err := generator.Await(event); err != nil {
		return picture{}, err
	}
	stats, err := server.Stats(false)
	if err != nil {
		return picture{}, fmt.Errorf("at %s: %w", event, err)
	}
	usage, err := server.Usage()
	if err != nil {
		return picture{}, err
	}
	ofLoad, err := generator.Usage()
	return picture{usage, stats, ofLoad.CPU}, err
}
