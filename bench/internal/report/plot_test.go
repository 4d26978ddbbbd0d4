package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netasync/netasync/bench/internal/result"
)

// everything is a run with all subjects of all kinds, long rounds and short ones, and a machine with a long name.
func everything() *result.File {
	f := &result.File{Rounds: 3, Machine: result.Machine{
		CPU: "Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz", Cores: 128, Memory: 1 << 40,
		System: "linux/amd64", Kernel: "6.18.44-generic-amd64", Go: "go1.26.8", Date: "2026-11-28T00:00:00Z",
		Versions: map[string]string{},
	}}
	for _, name := range []string{"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"} {
		f.Machine.Versions["example.org/library-"+name] = "v10.20.30-rc.1"
	}
	for round := range 3 {
		spread := []float64{1, 0.3, 2.7}[round]
		each := func(c result.Case, value float64, metrics []string, subjects ...string) {
			for i, s := range subjects {
				values := map[string]float64{}
				for _, m := range metrics {
					values[m] = value * spread * float64(1+i%5)
				}
				sample(f, c, s, values)
			}
		}
		var all []string
		for _, k := range kinds {
			all = append(all, k.subjects...)
		}
		all = append(all, "beat")
		each(result.Case{Key: "echo-100x100x16", Title: "100 connections × 100 under way × 16 B"}, 123_456, []string{result.PerSecond}, all...)
		each(result.Case{Key: distributed, Title: "100 connections, ping-pong, 128 B"}, 1e4, []string{result.P99}, all...)
		each(result.Case{Key: "pair-16", Title: "both ends"}, 0.0123, []string{result.PerSecond}, "netasync", "netchan", "nats-chan")
		each(result.Case{Key: "flood", Title: "100 connections, ping-pong, beside a flooded slow consumer"}, 4321,
			[]string{result.P99, result.P99Flooded}, "chan", "recv", "handler", "inline", "net", "netchan", "gnet")
		each(result.Case{Key: "call-100", Title: "calls, 100 under way, 128 B"}, 80_000, []string{result.PerSecond},
			"netasync", "netasync-resume", "nats", "grpc")
		each(result.Case{Key: "broadcast-1000x64k", Title: "1 to 1,000 × 64 KiB"}, 28_000, []string{result.Last},
			"broadcast", "loop", "loop-shared", "melody", "nats")
		each(result.Case{Key: "storm", Title: "10000 dialed sessions, their server restarts"}, 0.8, []string{result.AllAgain},
			"netasync", "byhand")
		for _, scale := range []float64{1, 15_000} {
			c := result.Case{Key: "sessions-" + number(scale), Title: "sessions", Family: "sessions", Scale: scale}
			each(c, 999*scale, []string{result.PerSecond, result.CPU, result.P99}, "chan", "recv", "handler", "inline", "netchan", "gnet")
		}
	}
	return f
}

// A plot is cut at its edges, and a reader may have other fonts than the program that drew it.
func TestNothingIsCutOffOrCovered(t *testing.T) {
	f, dir := everything(), t.TempDir()
	for _, draw := range []func(*result.File, string) error{Bars, Distribution, GrowthPlots} {
		if err := draw(f, dir); err != nil {
			t.Fatal(err)
		}
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d plots, %v", len(paths), err)
	}
	for _, path := range paths {
		name := filepath.Base(path)
		d := drawn(t, path)
		if len(d.texts) < 5 || len(d.lines) < 5 {
			t.Fatalf("%s: %d texts and %d lines were found", name, len(d.texts), len(d.lines))
		}
		for i, text := range d.texts {
			if text.left < 0 || text.top < 0 || text.right > d.width || text.bottom > d.height {
				t.Errorf("%s: %s is cut: %.0f..%.0f × %.0f..%.0f of %.0f × %.0f", name, text.what,
					text.left, text.right, text.top, text.bottom, d.width, d.height)
			}
			for _, other := range d.texts[:i] {
				if text.overlaps(other) {
					t.Errorf("%s: %s covers %s", name, text.what, other.what)
				}
			}
			for _, line := range d.lines {
				if line.overlaps(text) {
					t.Errorf("%s: %s goes through %s", name, line.what, text.what)
				}
			}
		}
	}
}

// What stands beside what is seen by the headings, and each case without kinds has none.
func TestBarsStandBesideTheirKind(t *testing.T) {
	f, dir := everything(), t.TempDir()
	if err := Bars(f, dir); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ key, order string }{
		{"echo-100x100x16", "callbacks|netasync, Inline|gnet|netpoll|getty|a loop that receives|netasync, Recv|net|channels|netasync, channels|net, channels by hand"},
		{"pair-16", "channels|netasync, channels|net, channels by hand|NATS, ChanSubscribe"},
		{"call-100", "netasync|netasync, Resume|NATS|gRPC"},
		{"flood", "callbacks|netasync, Inline|– beside a slow one|gnet|channels"},
	} {
		svg, err := os.ReadFile(filepath.Join(dir, c.key+".svg"))
		if err != nil {
			t.Fatal(err)
		}
		rest := string(svg)
		for _, want := range strings.Split(c.order, "|") {
			i := strings.Index(rest, ">"+want+"</text>")
			if i < 0 {
				t.Fatalf("%s: %q is not where %s has it", c.key, want, c.order)
			}
			rest = rest[i:]
		}
		if sorted(c.key) == !strings.Contains(string(svg), ">channels</text>") {
			t.Errorf("%s: headings where none belong, or none where some do", c.key)
		}
	}
}
