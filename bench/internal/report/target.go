// Package report turns a run into what people read: tables on the terminal, verdicts, plots.
package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/netasync/netasync/bench/internal/result"
)

// look finds a figure by case, subject and metric.
type look func(key, subject, metric string) (float64, bool)

// target is one figure that the library must reach.
type target struct {
	what  string
	lower bool // the lower, the better
	least float64
	aim   float64
	value func(look) (float64, bool)
}

// The yardsticks of the cases with both ends: of each kind, what is no other way to do it by hand.
var (
	chanRivals = []string{"mangos", "zmq4", "nats-chan"}
	loopRivals = []string{"net", "websocket"}
)

// targets are what the library promises, line by line. Each compares what is of one kind.
func targets() []target {
	const p50, p99 = result.P50, result.P99
	t := []target{
		faster("echo-100x100x16", "inline", "gnet", 0.9, 1.05),
		faster("echo-100x100x16", "inline", "netpoll", 0.8, 1),
		faster("echo-100x100x16", "inline", "getty", 4, 10),
		faster("echo-100x100x16", "handler", "netpoll", 0.75, 1),
		faster("echo-100x100x16", "recv", "net", 0.9, 1.3),
		faster("echo-100x100x16", "iter", "net", 0.95, 1.1),
		faster("echo-100x100x16", "chan", "netchan", 1.4, 2),
		faster("echo-1x100x16", "inline", "gnet", 0.9, 1.05),
		faster("echo-1x100x16", "chan", "netchan", 1.4, 2),
		faster("echo-100x10x1k", "inline", "gnet", 0.9, 1.05),
		faster("echo-100x10x1k", "recv", "net", 0.8, 1.1),
		faster("echo-100x10x1k", "iter", "net", 0.95, 1.1),
		faster("echo-10x4x64k", "inline", "gnet", 0.9, 1.1),
		faster("echo-10x4x64k", "handler", "netpoll", 0.5, 0.8),
		faster("echo-10x4x64k", "recv", "net", 0.7, 1),
		faster("echo-10x4x64k", "chan", "netchan", 1.2, 1.6),
		quicker("pingpong-1", p50, "inline", "gnet", 1.15, 1.05),
		quicker("pingpong-1", p50, "chan", "netchan", 1.25, 1.05),
		quicker("pingpong-100", p99, "chan", "netchan", 1, 0.7),
		faster("pair-16", "netasync-inline", "getty", 4, 10),
		faster("pair-16", "netasync-handler", "nats", 1.5, 3),
		best("pair-16", result.PerSecond, false, "netasync-iter", loopRivals, 1.5, 3),
		best("pair-16", result.PerSecond, false, "netasync", chanRivals, 4, 10),
		faster("pair-16", "netasync", "netchan", 0.7, 1),
		best("pair-128", result.PerSecond, false, "netasync", chanRivals, 4, 10),
		quicker("pair-pingpong", p50, "netasync-inline", "getty", 1.25, 1),
		best("pair-pingpong", p50, true, "netasync-iter", loopRivals, 2, 1.25),
		best("pair-pingpong", p50, true, "netasync", chanRivals, 0.9, 0.7),
		faster("pair-64k", "netasync-inline", "getty", 1.2, 2),
		best("pair-64k", result.PerSecond, false, "netasync-iter", loopRivals, 1, 1.5),
		best("pair-64k", result.PerSecond, false, "netasync", chanRivals, 1.2, 2),
		faster("pair-64k", "netasync", "netchan", 1, 1.2),
		beyondRaw("handler", 1.5, 0.5),
		beyondRaw("chan", 6, 3),
	}
	for _, subject := range []string{"handler", "chan"} {
		t = append(t, heartbeats(subject, 2, 1.2))
	}
	for _, subject := range []string{"chan", "recv", "handler", "inline"} {
		t = append(t, undisturbed(subject, 1.5, 1.1))
	}
	for _, policy := range []string{"drop", "close", "latest"} {
		t = append(t, target{
			what: "broadcast-beside, p99 beside ten that never read ÷ without: " + policy, lower: true, least: 1.1, aim: 1.0,
			value: func(find look) (float64, bool) { return find("broadcast-beside", policy, result.Besides) },
		})
	}
	t = append(t, target{
		what: "broadcast-1000x64k, CPU: loop of TrySend ÷ broadcast", least: 2, aim: 3,
		value: ratio("broadcast-1000x64k", result.CPUMember, "loop", "broadcast"),
	})
	return append(t,
		allocations("chan", 1.05, 0.1),
		allocations("recv", 1.05, 0.1),
		allocations("inline", 0, 0))
}

func faster(key, a, b string, least, aim float64) target {
	return target{what: key + ": " + a + " ÷ " + b, least: least, aim: aim, value: ratio(key, result.PerSecond, a, b)}
}

func quicker(key, metric, a, b string, least, aim float64) target {
	return target{
		what: fmt.Sprintf("%s %s: %s ÷ %s", key, metric, a, b), lower: true,
		least: least, aim: aim, value: ratio(key, metric, a, b),
	}
}

func ratio(key, metric, a, b string) func(look) (float64, bool) {
	return func(find look) (float64, bool) { return divide(find, key, a, metric, key, b, metric) }
}

func divide(find look, key, a, metric, key2, b, metric2 string) (float64, bool) {
	x, ok := find(key, a, metric)
	y, ok2 := find(key2, b, metric2)
	return x / y, ok && ok2 && y != 0
}

// best compares with whichever rival is best in the same case. All of them must have been measured.
func best(key, metric string, lower bool, ours string, rivals []string, least, aim float64) target {
	what := fmt.Sprintf("%s: %s ÷ best of %s", key, ours, strings.Join(rivals, ", "))
	if lower {
		what = fmt.Sprintf("%s %s: %s ÷ best of %s", key, metric, ours, strings.Join(rivals, ", "))
	}
	return target{
		what: what, lower: lower, least: least, aim: aim, value: toBest(key, metric, lower, ours, rivals),
	}
}

func toBest(key, metric string, lower bool, ours string, rivals []string) func(look) (float64, bool) {
	return func(find look) (float64, bool) {
		mine, ok := find(key, ours, metric)
		var theirs []float64
		for _, rival := range rivals {
			v, measured := find(key, rival, metric)
			ok = ok && measured && v > 0
			theirs = append(theirs, v)
		}
		if lower {
			return mine / slices.Min(theirs), ok
		}
		return mine / slices.Max(theirs), ok
	}
}

// beyondRaw is the memory of an idle session over that of a raw gnet connection, in KiB.
func beyondRaw(subject string, least, aim float64) target {
	return target{
		what: "idle, KiB beyond a raw gnet connection: " + subject, lower: true, least: least, aim: aim,
		value: func(find look) (float64, bool) {
			ours, ok := find("idle", subject, result.Resident)
			raw, ok2 := find("idle", "gnet", result.Resident)
			return (ours - raw) / 1024, ok && ok2
		},
	}
}

func heartbeats(subject string, least, aim float64) target {
	return target{
		what: "idle, CPU of heartbeats: " + subject + " ÷ a bare loop", lower: true, least: least, aim: aim,
		value: ratio("idle", result.HeartbeatCPU, subject, "beat"),
	}
}

func undisturbed(subject string, least, aim float64) target {
	return target{
		what: "p99 beside a flooded slow consumer ÷ without: " + subject, lower: true, least: least, aim: aim,
		value: func(find look) (float64, bool) {
			return divide(find, "flood", subject, result.P99Flooded, "flood", subject, result.P99)
		},
	}
}

// allocations are rounded to a hundredth: the process itself allocates now and then.
func allocations(subject string, least, aim float64) target {
	return target{
		what: "allocations per echoed 16 B message: " + subject, lower: true, least: least, aim: aim,
		value: func(find look) (float64, bool) {
			v, ok := find("echo-100x100x16", subject, result.Allocations)
			return math.Round(v*100) / 100, ok
		},
	}
}
