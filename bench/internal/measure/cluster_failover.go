package measure

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/fan"
	"github.com/netasync/netasync/bench/internal/result"
)

// Failover is a node that ends without a word: killed, or stopped as a machine that hangs.
type Failover struct {
	header
	Clients int // whose sessions live there
}

// sunk is the name of a client that does not come back: that of one that does is taken elsewhere before it is free.
const sunk = "user/0"

// Measure tells when its clients have an answer from another node, when its members have left for another node, and
// when its names are free there.
func (f Failover) Measure(ctx context.Context, subject string) (result.Sample, error) {
	g, err := gather(ctx, "netasync", 3)
	if err != nil {
		return result.Sample{}, err
	}
	defer g.kill()
	addrs := make([]string, len(g))
	err = g.each(func(i int, p *child.Process) error { return p.Do(&addrs[i], "answer") })
	if err != nil {
		return result.Sample{}, err
	}
	clients, _, err := child.This.StartServer(ctx, "cluster-callers", "-addrs", strings.Join(addrs, ","),
		"-clients", itoa(f.Clients))
	if err != nil {
		return result.Sample{}, err
	}
	defer clients.Kill()
	sink, err := sinkOf(ctx, g[0], 1)
	if err != nil {
		return result.Sample{}, err
	}
	defer sink.Kill()
	other := g[2]
	if err = other.Do(nil, "watch", sunk, itoa(f.Clients)); err != nil {
		return result.Sample{}, err
	}
	died := fan.Now()
	if subject == "kill" {
		g[0].Kill()
	} else if err = g[0].Freeze(); err != nil {
		return result.Sample{}, err
	}
	var again []uint64
	if err = clients.Do(&again, "again"); err != nil {
		return result.Sample{}, err
	}
	var gone struct{ Left, Free uint64 }
	if err = other.Do(&gone, "gone"); err != nil {
		return result.Sample{}, err
	}
	slices.Sort(again)
	if first := min(again[0], gone.Left, gone.Free); first < died {
		return result.Sample{}, fmt.Errorf("something came %d ns before it was due", died-first)
	}
	ms := func(at uint64) float64 { return float64(at-died) / 1e6 }
	return f.sample(subject, map[string]float64{
		result.Again: ms(again[len(again)/2]), result.AgainLast: ms(again[len(again)-1]),
		result.Left: ms(gone.Left), result.Free: ms(gone.Free),
	}), nil
}
