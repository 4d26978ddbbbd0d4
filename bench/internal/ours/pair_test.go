package ours

import (
	"testing"
	"time"

	"github.com/netasync/netasync/bench/internal/pair"
)

// The driver compares each byte that comes back.
func TestEveryWayEchoesAtBothEnds(t *testing.T) {
	for name, lib := range Pairs {
		t.Run(name, func(t *testing.T) {
			addr, err := lib.Serve()
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct{ window, payload int }{{1, 128}, {100, 16}, {4, 64 << 10}} {
				r, err := pair.Run(lib, pair.Options{
					Addr: addr, Window: c.window, Payload: c.payload, Warm: 20 * time.Millisecond, Measure: 50 * time.Millisecond,
				})
				if err != nil {
					t.Fatalf("%d × %d B: %v", c.window, c.payload, err)
				}
				if r.Messages == 0 || (c.window == 1) != (r.P50 > 0) {
					t.Errorf("%d × %d B: implausible: %d messages, p50 %v µs", c.window, c.payload, r.Messages, r.P50)
				}
			}
		})
	}
}
