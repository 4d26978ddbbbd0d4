package session

import (
	"testing"

	"github.com/netasync/netasync/internal/testkit"
)

// BenchmarkHeartbeatFlood feeds what a peer sends that does nothing but send heartbeats, by reads as
// large as an event loop's.
func BenchmarkHeartbeatFlood(b *testing.B) {
	for name, change := range map[string]func(*Config){
		"queue":    nil,
		"callback": func(c *Config) { c.OnEvent = func(*Session, Event) {} },
		"inline":   func(c *Config) { c.OnEvent, c.Inline = func(*Session, Event) {}, true },
	} {
		b.Run(name, func(b *testing.B) {
			s, _ := newFake(b, false, change)
			c := s.attach(newFakeLink(unbounded))
			read := make([]byte, 64<<10)
			frames := len(read) / len(testkit.Frames(""))
			for b.Loop() {
				if rest, _, err := c.Feed(read, false); len(rest) > 0 || err != nil {
					b.Fatal(len(rest), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*frames), "ns/frame")
			s.CloseNow(errCut)
		})
	}
}
