package measure

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/result"
)

// beating are the subjects that send heartbeats.
var beating = []string{"chan", "recv", "handler", "inline", "beat"}

// Idle is many sessions that have spoken once: what they keep in memory, and what their heartbeats cost.
type Idle struct {
	header
	Sessions int
	Settle   time.Duration // between opening the sessions and reading the memory
	Period   time.Duration // of heartbeats; 0 to do without
	Beats    time.Duration // how long they are measured
	beam     Beam
}

// beats tells whether the subject's heartbeats are measured.
func (i Idle) beats(subject string) bool {
	_, kind := i.program(subject)
	return i.Period > 0 && slices.Contains(beating, kind)
}

// Measure reads the server's memory before and after the sessions are opened, both times after a collection.
func (i Idle) Measure(ctx context.Context, subject string) (result.Sample, error) {
	var more []string
	if i.beats(subject) {
		more = []string{"-heartbeat", i.Period.String()}
	}
	server, addr, err := i.serve(ctx, subject, i.beam, more...)
	if err != nil {
		return result.Sample{}, err
	}
	defer server.Kill()
	before, err := tidied(server)
	if err != nil {
		return result.Sample{}, err
	}
	start := time.Now()
	crowd, err := child.This.Start(ctx, "idle", "-addr", addr, "-conns", itoa(i.Sessions))
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
	if i.beats(subject) {
		if values[result.HeartbeatCPU], err = i.heartbeat(server, crowd); err != nil {
			return result.Sample{}, err
		}
	}
	if err := crowd.Stop(); err != nil {
		return result.Sample{}, err
	}
	return i.sample(subject, values), server.Stop()
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
	return picture{Usage: usage, Stats: stats}, err
}

// heartbeat returns the microseconds of CPU that the server takes for a heartbeat. Each session must have sent one
// a period, about: the figure would be worth nothing for a server that sends only half as many.
func (i Idle) heartbeat(server, crowd *child.Process) (float64, error) {
	if _, err := crowd.Heard(); err != nil {
		return 0, err
	}
	start := time.Now()
	before, err := server.Usage()
	if err != nil {
		return 0, err
	}
	time.Sleep(i.Beats)
	after, err := server.Usage()
	if err != nil {
		return 0, err
	}
	due := float64(i.Sessions) * float64(time.Since(start)) / float64(i.Period)
	heard, err := crowd.Heard()
	if err != nil {
		return 0, err
	}
	if n := float64(heard); n < 0.6*due || n > 1.4*due {
		return 0, fmt.Errorf("%d heartbeats were heard where %.0f were due", heard, due)
	}
	return float64((after.CPU - before.CPU).Microseconds()) / float64(heard), nil
}
