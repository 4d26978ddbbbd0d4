package measure

import (
	"context"
	"math/rand/v2"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/fan"
	"github.com/netasync/netasync/bench/internal/result"
)

// Broadcast measures one message to many. Both ends have as many descriptors as there are connections: so
// 10,000 need a limit beyond that in each of the two processes.
func Broadcast(a Asked) Profile { return Profile{5, a.of(full).broadcasts()} }

// fans are who broadcasts.
var fans = []string{"broadcast", "loop", "loop-shared", "melody", "nats"}

func (z size) broadcasts() []Case {
	return []Case{
		Fan{
			header: header{info: result.Case{Key: "broadcast-10000x128", Title: "1 to 10,000 × 128 B"}, subjects: fans},
			Conns:  10_000 / z.fan, Payload: 128, Messages: 20,
		},
		Fan{
			header: header{info: result.Case{Key: "broadcast-1000x64k", Title: "1 to 1,000 × 64 KiB"}, subjects: fans},
			Conns:  1_000 / z.fan, Payload: 64 << 10, Messages: 20,
		},
		Beside{
			header: header{
				info:     result.Case{Key: "broadcast-beside", Title: "1 to 1,000 × 4 KiB beside ten that never read"},
				subjects: []string{"drop", "close", "latest"},
			},
			Conns: 1_000 / z.fan, Payload: 4 << 10, Messages: 300,
		},
	}
}

// Fan is one message to many, again when all have the one before.
type Fan struct {
	header
	Conns, Payload, Messages int
}

// warmFan is how many messages are sent before any counts.
const warmFan = 5

// Measure tells when the last has a message, and what that cost the server.
func (f Fan) Measure(ctx context.Context, subject string) (result.Sample, error) {
	seen, err := f.broadcast(ctx, subject, "", 0, warmFan)
	if err != nil {
		return result.Sample{}, err
	}
	return f.sample(subject, map[string]float64{
		result.Last: seen.heard.Last, result.P99: seen.heard.P99, result.CPUMember: seen.cpu, result.Heap: seen.heap,
	}), nil
}

// fanned is what was seen of broadcasts.
type fanned struct {
	heard     fan.Heard
	cpu, heap float64
}

// broadcast measures messages to a crowd of which some never read.
func (f Fan) broadcast(ctx context.Context, subject, slow string, silent, warm int) (seen fanned, err error) {
	server, addr, err := child.This.StartServer(ctx, "fan-server", "-contestant", subject, "-slow", slow,
		"-payload", itoa(f.Payload), "-conns", itoa(f.Conns+silent))
	if err != nil {
		return seen, err
	}
	defer server.Kill()
	crowd, err := child.This.Start(ctx, "fan-crowd", "-contestant", subject, "-addr", addr, "-payload", itoa(f.Payload),
		"-conns", itoa(f.Conns), "-silent", itoa(silent), "-warm", itoa(warm), "-messages", itoa(f.Messages))
	if err != nil {
		return seen, err
	}
	defer crowd.Kill()
	if _, err := crowd.Await(child.Ready); err != nil {
		return seen, err
	}
	var before child.Usage
	for i := range warm + f.Messages {
		if i == warm {
			if before, err = server.Usage(); err != nil {
				return seen, err
			}
		}
		if err := server.Send(); err != nil {
			return seen, err
		}
		if _, err := crowd.Await(child.Heard); err != nil {
			return seen, err
		}
	}
	after, err := server.Usage()
	if err != nil {
		return seen, err
	}
	stats, err := server.Stats(false)
	if err != nil {
		return seen, err
	}
	seen.cpu = float64((after.CPU - before.CPU).Nanoseconds()) / float64(f.Messages*f.Conns)
	seen.heap = float64(stats.Heap)
	return seen, crowd.Result(&seen.heard)
}

// Beside is a Fan beside ten that never read, against the same without them.
type Beside Fan

// The ones that never read, and how many messages are sent before any counts: by then they are full.
const (
	silent     = 10
	warmBeside = 600
)

// Measure runs both, each against a server of its own and in an order that chance decides. The subject is what
// Slow is.
func (b Beside) Measure(ctx context.Context, subject string) (result.Sample, error) {
	var p99 [2]float64
	for _, i := range rand.Perm(2) {
		seen, err := Fan(b).broadcast(ctx, "broadcast", subject, i*silent, warmBeside)
		if err != nil {
			return result.Sample{}, err
		}
		p99[i] = seen.heard.P99
	}
	return Fan(b).sample(subject, map[string]float64{
		result.P99: p99[0], result.P99Beside: p99[1], result.Besides: p99[1] / p99[0],
	}), nil
}
