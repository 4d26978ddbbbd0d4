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
			c := s.attach(newFakeLink(unbounded), 0)
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

// BenchmarkLarge feeds messages of 64 KiB by reads of 64 KiB, so that each comes in two of them.
func BenchmarkLarge(b *testing.B) {
	wire := testkit.Frames(make([]byte, 64<<10), make([]byte, 64<<10), make([]byte, 64<<10), make([]byte, 64<<10))
	run := func(b *testing.B, s *Session, after func()) {
		c := s.attach(newSink(), 0)
		c.Start(true)
		b.SetBytes(int64(len(wire)))
		b.ReportAllocs()
		for b.Loop() {
			for p := wire; len(p) > 0; {
				read := p[:min(len(p), 64<<10)]
				if rest, _, err := c.Feed(read, true); len(rest) > 0 || err != nil {
					b.Fatal(len(rest), err)
				}
				p = p[len(read):]
			}
			after()
		}
		s.CloseNow(errCut)
	}
	b.Run("inline", func(b *testing.B) {
		s, _ := newFake(b, false, func(c *Config) { c.OnEvent, c.Inline = func(*Session, Event) {}, true })
		run(b, s, func() {})
	})
	b.Run("recv", func(b *testing.B) {
		s, _ := newFake(b, false, nil)
		run(b, s, func() {
			for got := 0; got < 4; {
				if ev, _ := s.Recv(b.Context()); ev.Kind == Message {
					got++
				}
			}
		})
	})
}
