package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestFlight walks through conversations. A step is ">text" sent, "<text"
// received, or "!n" an outage that kept n messages.
func TestFlight(t *testing.T) {
	tests := []struct {
		name  string
		steps string
		wrong bool // the last step is a wrong reply, no other is
		open  int  // at the end
	}{
		{"in order", ">a >b <a <b >c <c", false, 0},
		{"behind a prefix", ">a <ECHO/a", false, 0},
		{"the text is not at the end", ">a <a/ECHO", true, 1},
		{"shorter than the text", ">abc <bc", true, 1},
		{"swapped", ">a >b <b", true, 2},
		{"twice", ">a >b <a <a", true, 1},
		{"unasked for", "<a", true, 0},
		{"all in flight lost", ">a >b !0 >c <c", false, 0},
		{"all in flight lost, window free again", ">a >b !0", false, 0},
		{"the oldest lost, the rest kept", ">a >b >c !1 <c", false, 0},
		{"kept after all", ">a >b !0 <a <b", false, 0},
		{"kept after all takes up the window again", ">a >b >c !0 <a", false, 2},
		{"a kept one does not get lost", ">a >b >c !2 <c", true, 2},
		{"not lost once a younger one came", ">a >b >c !0 <b <a", true, 1},
		{"no skipping after the first reply", ">a >b >c !0 <a <c", true, 2},
		{"nonsense after an outage", ">a >b !0 >c <x", true, 1},
		{"two outages", ">a >b !1 >c !0 >d <d", false, 0},
		{"more kept than sent so far", ">a !2 <a", false, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var f flight
			steps := strings.Fields(test.steps)
			for i, step := range steps {
				wrong := play(&f, step) != nil
				if want := test.wrong && i == len(steps)-1; wrong != want {
					t.Fatalf("step %d, %s: wrong is %v, want %v", i, step, wrong, want)
				}
			}
			if f.open() != test.open {
				t.Errorf("%d are open, want %d", f.open(), test.open)
			}
		})
	}
}

func play(f *flight, step string) error {
	switch step[0] {
	case '>':
		f.sent(step[1:])
	case '<':
		return f.received([]byte(step[1:]), true)
	case '!':
		var kept int
		if _, err := fmt.Sscan(step[1:], &kept); err != nil {
			return err
		}
		f.disconnected(kept)
	}
	return nil
}

// TestSummaryPercentiles pins the nearest-rank percentiles at their edges.
func TestSummaryPercentiles(t *testing.T) {
	for n, want := range map[int]string{
		1:   "ok n=1 rtt p50=1ms p99=1ms max=1ms",
		2:   "ok n=2 rtt p50=1ms p99=2ms max=2ms",
		100: "ok n=100 rtt p50=50ms p99=99ms max=100ms",
		101: "ok n=101 rtt p50=51ms p99=100ms max=101ms",
	} {
		f := flight{verified: n}
		for i := n; i > 0; i-- {
			f.rtts = append(f.rtts, time.Duration(i)*time.Millisecond)
		}
		if got := f.summary(); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

func TestTextHasTheSizeAskedFor(t *testing.T) {
	for _, size := range []int{1, 19, 20, 21, 1000} {
		c := client{options: options{size: size}}
		if got := c.text(); len(got) != size {
			t.Errorf("%d bytes, want %d", len(got), size)
		}
	}
}
