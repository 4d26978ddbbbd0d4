package measure

import (
	"context"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/fan"
	"github.com/netasync/netasync/bench/internal/result"
)

// Rooms are broadcasts to members at three nodes, each with clients in a process of their own.
type Rooms struct {
	header
	Each     int // members at each node
	Payload  int
	Messages int
}

// Measure tells when the last has a message, and what that cost the three nodes. One sends all messages, each when
// everybody has the one before.
func (r Rooms) Measure(ctx context.Context, subject string) (result.Sample, error) {
	g, err := gather(ctx, subject, 3)
	if err != nil {
		return result.Sample{}, err
	}
	defer g.kill()
	crowds := make(group, len(g))
	defer func() {
		for _, c := range crowds {
			if c != nil {
				c.Kill()
			}
		}
	}()
	err = g.each(func(i int, p *child.Process) (err error) {
		crowds[i], err = r.crowd(ctx, subject, p)
		return err
	})
	if err != nil {
		return result.Sample{}, err
	}
	if err = g[0].Do(nil, "members", itoa(len(g)*r.Each), itoa(len(g)-1)); err != nil {
		return result.Sample{}, err
	}
	cpu, err := r.send(g, crowds)
	if err != nil {
		return result.Sample{}, err
	}
	values := map[string]float64{result.CPUMember: cpu / float64(len(g)*r.Each*r.Messages)}
	for _, c := range crowds {
		var heard fan.Heard
		if err = c.Result(&heard); err != nil {
			return result.Sample{}, err
		}
		values[result.Last] = max(values[result.Last], heard.Last)
		values[result.P50] = max(values[result.P50], heard.P50)
	}
	return r.sample(subject, values), nil
}

func (r Rooms) crowd(ctx context.Context, subject string, p *child.Process) (*child.Process, error) {
	var addr string
	if err := p.Do(&addr, "audience"); err != nil {
		return nil, err
	}
	c, _, err := child.This.StartServer(ctx, "fan-crowd", "-contestant", subject, "-addr", addr,
		"-payload", itoa(r.Payload), "-conns", itoa(r.Each), "-warm", itoa(warmFan), "-messages", itoa(r.Messages))
	return c, err
}

// send returns the CPU that all members used, in nanoseconds.
func (r Rooms) send(g, crowds group) (float64, error) {
	before, err := g.cpu()
	if err != nil {
		return 0, err
	}
	for i := range warmFan + r.Messages {
		if i == warmFan {
			if before, err = g.cpu(); err != nil {
				return 0, err
			}
		}
		if err = g[0].Do(nil, "broadcast", itoa(r.Payload)); err != nil {
			return 0, err
		}
		for _, c := range crowds {
			if _, err = c.Await(child.Heard); err != nil {
				return 0, err
			}
		}
	}
	after, err := g.cpu()
	return float64(after - before), err
}
