package measure

import (
	"context"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/load"
	"github.com/netasync/netasync/bench/internal/result"
)

// Sends are messages to names, each waited for until it is queued. The sessions are clients of a process of its own,
// which receive all of them.
type Sends struct {
	header
	Callers int
	Payload int
	times   Times
}

// Measure has one member of three send to sessions of itself, or of another. CPU is that of all members.
func (s Sends) Measure(ctx context.Context, subject string) (result.Sample, error) {
	kind := "netasync"
	if subject == "nats" || subject == "nats-hand" {
		kind = "nats"
	}
	g, err := gather(ctx, kind, 3)
	if err != nil {
		return result.Sample{}, err
	}
	defer g.kill()
	from, to := g[0], g[1]
	if subject == "local" {
		to = from
	}
	var sink *child.Process
	if subject == "nats" {
		err = to.Do(nil, "respond")
	} else {
		sink, err = sinkOf(ctx, to, s.Callers)
	}
	if err != nil {
		return result.Sample{}, err
	}
	if sink != nil {
		defer sink.Kill()
	}
	if err = s.reach(subject, from, to); err != nil {
		return result.Sample{}, err
	}
	err = from.Tell("send", itoa(s.Callers), itoa(s.Payload), s.times.Warm.String(), s.times.Measure.String())
	if err != nil {
		return result.Sample{}, err
	}
	cpu, err := g.during(from)
	if err != nil {
		return result.Sample{}, err
	}
	var seen load.Result
	if err = from.Answer(&seen); err != nil {
		return result.Sample{}, err
	}
	if err = arrived(from, sink); err != nil {
		return result.Sample{}, err
	}
	sample := s.sample(subject, map[string]float64{
		result.PerSecond: seen.PerSec, result.P50: seen.P50, result.P99: seen.P99,
		result.CPU: float64(cpu) / float64(seen.Messages),
	})
	sample.Latency = seen.Latency
	return sample, nil
}

// reach waits until the sender knows the names.
func (s Sends) reach(subject string, from, to *child.Process) error {
	switch subject {
	case "nats-hand":
		if err := to.Do(nil, "hand"); err != nil {
			return err
		}
		return from.Do(nil, "reach", "user/"+itoa(s.Callers-1))
	case "nats":
		return from.Do(nil, "reach", "user/0")
	}
	return from.Do(nil, "names", itoa(s.Callers))
}

// sinkOf connects clients that receive to a member.
func sinkOf(ctx context.Context, to *child.Process, clients int) (*child.Process, error) {
	var addr string
	if err := to.Do(&addr, "sink"); err != nil {
		return nil, err
	}
	sink, _, err := child.This.StartServer(ctx, "cluster-sink", "-addr", addr, "-clients", itoa(clients))
	return sink, err
}

// arrived waits until all that was queued has come, and nothing else.
func arrived(from, sink *child.Process) error {
	if sink == nil {
		return nil
	}
	var queued int
	if err := from.Do(&queued, "sent"); err != nil {
		return err
	}
	return sink.Do(nil, "came", itoa(queued))
}

// Streams are messages to one session of another node, none of them waited for.
type Streams struct {
	header
	Payload int
	times   Times
}

// streams are who streams.
var streams = []string{"stream", "nats-hand", "nats"}

// Measure has one member send as fast as the other takes. CPU is that of all members.
func (s Streams) Measure(ctx context.Context, subject string) (result.Sample, error) {
	kind, take := "nats", "take"
	switch subject {
	case "stream":
		kind = "netasync"
	case "nats-hand":
		take = "pass"
	}
	g, err := gather(ctx, kind, 3)
	if err != nil {
		return result.Sample{}, err
	}
	defer g.kill()
	from, to := g[0], g[1]
	var sink *child.Process
	if subject != "nats" {
		if sink, err = sinkOf(ctx, to, 1); err != nil {
			return result.Sample{}, err
		}
		defer sink.Kill()
	}
	if kind == "nats" {
		err = to.Do(nil, take)
	} else {
		err = from.Do(nil, "names", "1")
	}
	if err != nil {
		return result.Sample{}, err
	}
	if err = from.Tell("stream", itoa(s.Payload), s.times.Warm.String(), s.times.Measure.String()); err != nil {
		return result.Sample{}, err
	}
	cpu, err := g.during(from)
	if err != nil {
		return result.Sample{}, err
	}
	var seen load.Result
	if err = from.Answer(&seen); err != nil {
		return result.Sample{}, err
	}
	if err = arrived(from, sink); err != nil {
		return result.Sample{}, err
	}
	return s.sample(subject, map[string]float64{
		result.PerSecond: seen.PerSec, result.CPU: float64(cpu) / float64(seen.Messages),
	}), nil
}
