package measure

import (
	"context"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/load"
	"github.com/netasync/netasync/bench/internal/result"
)

// Relays are sessions whose clients have come back: to the node of the session, to another node, which passes them
// on, and to a TCP proxy in that node's process, which copies bytes and knows nothing.
type Relays struct {
	header
	Window  int
	Payload int
	times   Times
}

var relayed = []string{"direct", "relay", "proxy"}

// travelers is how many clients come back, of which one measures.
const travelers = 20

// Measure has the session's node echo. CPU is that of all nodes, of which the one between is told apart.
func (r Relays) Measure(ctx context.Context, subject string) (result.Sample, error) {
	g, err := gather(ctx, "netasync", 3)
	if err != nil {
		return result.Sample{}, err
	}
	defer g.kill()
	owner, between := g[0], g[1]
	addr, via, err := r.places(subject, owner, between)
	if err != nil {
		return result.Sample{}, err
	}
	before, err := between.Descriptors()
	if err != nil {
		return result.Sample{}, err
	}
	client, err := child.This.Start(ctx, "cluster-mover", "-addr", addr, "-via", via, "-clients", itoa(travelers),
		"-window", itoa(r.Window), "-payload", itoa(r.Payload),
		"-warm", r.times.Warm.String(), "-measure", r.times.Measure.String())
	if err != nil {
		return result.Sample{}, err
	}
	defer client.Kill()
	cpu, err := g.during(client)
	if err != nil {
		return result.Sample{}, err
	}
	after, err := between.Descriptors()
	if err != nil {
		return result.Sample{}, err
	}
	var seen load.Result
	if err = client.Result(&seen); err != nil {
		return result.Sample{}, err
	}
	values := map[string]float64{
		result.CPU:         float64(cpu) / float64(seen.Messages),
		result.Descriptors: float64(after-before) / travelers,
	}
	if r.Window == 1 {
		values[result.P50], values[result.P99] = seen.P50, seen.P99
	} else {
		values[result.Bandwidth] = seen.PerSec * float64(r.Payload) / 1e6
	}
	return r.sample(subject, values), nil
}

// places are where a client begins, and where it goes on.
func (r Relays) places(subject string, owner, between *child.Process) (addr, via string, err error) {
	var other string
	if err = owner.Do(&addr, "echo"); err != nil {
		return addr, via, err
	}
	if err = between.Do(&other, "echo"); err != nil {
		return addr, via, err
	}
	switch subject {
	case "relay":
		return addr, other, nil
	case "proxy":
		err = between.Do(&via, "proxy", addr)
		return addr, via, err
	}
	return addr, addr, nil
}
