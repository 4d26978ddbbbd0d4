package broadcast

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// What a message may cost in allocations, for each member: nothing but what the garbage collector takes
// from pools. A large one is copied once for all.
func TestAllocationsPerMemberAndMessage(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	const members = 1000
	for name, size := range map[string]int{"128 B": 128, "64 KiB": 64 << 10} {
		t.Run(name, func(t *testing.T) {
			g, payload := NewGroup(Options{}), make([]byte, size)
			sent := uint64(0)
			for range members {
				l := newLink(false)
				l.keep = false
				s := connected(t, l, nil)
				defer s.CloseNow(nil)
				g.Add(s)
			}
			perMessage := testing.AllocsPerRun(20, func() {
				require.Equal(t, members, g.Send(payload).Queued)
				sent++
				for s := range g.All() {
					testkit.Eventually(t, func() bool { return s.Stats().Sent == sent }, "it is sent")
				}
			})
			t.Logf("%.3f allocations per member and message", perMessage/members)
			require.LessOrEqual(t, perMessage/members, 0.1)
		})
	}
}

func BenchmarkSend(b *testing.B) {
	for name, size := range map[string]int{"128B": 128, "1KiB": 1 << 10, "64KiB": 64 << 10} {
		b.Run(name, func(b *testing.B) {
			const members = 1000
			g, payload := NewGroup(Options{}), make([]byte, size)
			for range members {
				l := newLink(false)
				l.keep = false
				s := connected(b, l, nil)
				defer s.CloseNow(nil)
				g.Add(s)
			}
			b.ReportAllocs()
			for b.Loop() {
				g.Send(payload)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/members, "ns/member")
		})
	}
}
