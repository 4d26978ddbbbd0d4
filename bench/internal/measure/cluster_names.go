package measure

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/fan"
	"github.com/netasync/netasync/bench/internal/result"
)

// Names are many names of one node, that the others know, too.
type Names struct {
	header
	Count int
}

// Measure tells what they take at their node and at another, and how long it takes until another node, one that was
// there and one that comes, has all.
func (n Names) Measure(ctx context.Context, subject string) (result.Sample, error) {
	addrs, err := freeAddrs(3)
	if err != nil {
		return result.Sample{}, err
	}
	g, err := processes(ctx, "netasync", 3)
	if err != nil {
		return result.Sample{}, err
	}
	defer g.kill()
	owner, replica, newcomer := g[0], g[1], g[2]
	if err = g[:2].meet(addrs[:2]); err != nil {
		return result.Sample{}, err
	}
	before, err := heaps(owner, replica)
	if err != nil {
		return result.Sample{}, err
	}
	var claimed struct{ Begin, End uint64 }
	if err = owner.Tell("claim", itoa(n.Count)); err != nil {
		return result.Sample{}, err
	}
	var all uint64
	if err = replica.Do(&all, "names", itoa(n.Count)); err != nil {
		return result.Sample{}, err
	}
	if err = owner.Answer(&claimed); err != nil {
		return result.Sample{}, err
	}
	after, err := heaps(owner, replica)
	if err != nil {
		return result.Sample{}, err
	}
	began := fan.Now()
	if err = newcomer.Do(nil, "start", addrs[2], addrs[0]); err != nil {
		return result.Sample{}, err
	}
	var joined uint64
	if err = newcomer.Do(&joined, "names", itoa(n.Count)); err != nil {
		return result.Sample{}, err
	}
	each := func(i int) float64 { return (after[i] - before[i]) / float64(n.Count) }
	return n.sample(subject, map[string]float64{
		result.NameOwner: each(0), result.NameReplica: each(1),
		result.Claim:      float64(claimed.End-claimed.Begin) / 1e3 / float64(n.Count),
		result.Replicated: float64(all-claimed.Begin) / 1e6,
		result.Joined:     float64(joined-began) / 1e6,
	}), nil
}

// heaps are the bytes that members use after a collection.
func heaps(members ...*child.Process) (bytes []float64, err error) {
	for _, p := range members {
		var s child.Stats
		if err = p.Do(&s, "tidy"); err != nil {
			return nil, err
		}
		bytes = append(bytes, float64(s.Heap))
	}
	return bytes, nil
}

// Starts are of members: one alone, and three until each knows the others.
type Starts struct{ header }

// Measure begins when the processes are there.
func (s Starts) Measure(ctx context.Context, subject string) (result.Sample, error) {
	if subject == "alone" {
		g, err := processes(ctx, "netasync", 1)
		if err != nil {
			return result.Sample{}, err
		}
		defer g.kill()
		var took time.Duration
		err = g[0].Do(&took, "start", "|", "|")
		return s.sample(subject, map[string]float64{result.Started: took.Seconds() * 1e3}), err
	}
	addrs, err := freeAddrs(3)
	if err != nil {
		return result.Sample{}, err
	}
	g, err := processes(ctx, "netasync", 3)
	if err != nil {
		return result.Sample{}, err
	}
	defer g.kill()
	began := time.Now()
	err = g.meet(addrs)
	return s.sample(subject, map[string]float64{result.Started: time.Since(began).Seconds() * 1e3}), err
}

// sizes are of programs that `make` builds beside the benchmark: one that takes sessions, and one that is a node.
var sizes = []string{"plain", "node"}

// Sizes are of small programs.
type Sizes struct{ header }

// Measure looks for the programs beside the one that runs.
func (s Sizes) Measure(_ context.Context, subject string) (result.Sample, error) {
	self, err := os.Executable()
	if err != nil {
		return result.Sample{}, err
	}
	values := map[string]float64{}
	for suffix, metric := range map[string]string{"": result.Binary, "-stripped": result.Stripped} {
		info, err := os.Stat(filepath.Join(filepath.Dir(self), "small-"+subject+suffix))
		if err != nil {
			return result.Sample{}, errors.Join(err, errors.New("make builds it"))
		}
		values[metric] = float64(info.Size())
	}
	return s.sample(subject, values), nil
}
