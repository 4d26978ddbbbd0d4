package measure

import (
	"context"
	"slices"
	"time"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/result"
)

// beatPeriod is how often the sessions of the heartbeat measurement send one.
const beatPeriod = time.Second

// beating are the subjects that send heartbeats.
var beating = []string{"chan", "recv", "handler", "inline", "beat"}

// Idle is many sessions that have spoken once: what they keep in memory, and what their heartbeats cost.
type Idle struct {
	header
	Sessions int
	Settle   time.Duration // between opening the sessions and reading the memory
	Beats    time.Duration // how long heartbeats are measured; 0 not at all
	beam     Beam
}

// Measure reads the server's memory before and after the sessions are opened, both times after a collection.
func (i Idle) Measure(ctx context.Context, subject string) (result.Sample, error) {
	server, addr, err := child.StartServer(ctx, serverArgs(subject, i.beam, i.heartbeat(subject)...)...)
	if err != nil {
		return result.Sample{}, err
	}
	defer server.Kill()
	before, err := tidied(server)
	if err != nil {
		return result.Sample{}, err
	}
	start := time.Now()
	crowd, err := child.Start(ctx, "idle", "-addr", addr, "-conns", itoa(i.Sessions))
	if err != nil {
		return result.Sample{}, err
	}
	defer crowd.Kill()
	if _, err := crowd.Await(child.Ready); err != nil {
		return result.Sample{}, err
	}
	opened := time.Since(start)
	time.Sleep(i.Settle)
	after, err := tidied(server)
	if err != nil {
		return result.Sample{}, err
	}
	values := i.memory(subject, before, after)
	values[result.Opened] = float64(i.Sessions) / opened.Seconds()
	if i.Beats > 0 && slices.Contains(beating, subject) {
		if values[result.HeartbeatCPU], err = beats(server, i.Beats); err != nil {
			return result.Sample{}, err
		}
	}
	if err := crowd.Stop(); err != nil {
		return result.Sample{}, err
	}
	return i.sample(subject, values), server.Stop()
}

func (i Idle) heartbeat(subject string) []string {
	if i.Beats > 0 && slices.Contains(beating, subject) {
		return []string{"-heartbeat", beatPeriod.String()}
	}
	return nil
}

func (i Idle) memory(subject string, before, after picture) map[string]float64 {
	each := func(after, before uint64) float64 {
		return (float64(after) - float64(before)) / float64(i.Sessions)
	}
	values := map[string]float64{result.Resident: each(after.Resident, before.Resident)}
	if subject != Erlang {
		values[result.GoMemory] = each(after.Heap+after.Stack, before.Heap+before.Stack)
	}
	return values
}

func tidied(server *child.Process) (picture, error) {
	stats, err := server.Stats(true)
	if err != nil {
		return picture{}, err
	}
	usage, err := server.Usage()
	return picture{usage, stats}, err
}

// beats returns the milliseconds of CPU that the server takes for a second of heartbeats.
func beats(server *child.Process, window time.Duration) (float64, error) {
	before, err := server.Usage()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	time.Sleep(window)
	after, err := server.Usage()
	if err != nil {
		return 0, err
	}
	return 1000 * (after.CPU - before.CPU).Seconds() / time.Since(start).Seconds(), nil
}
