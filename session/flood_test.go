package session

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
)

// A flood of heartbeats costs what it takes to see that there is nothing else, and nothing for each.
// Both are measured side by side, and the best of many counts, so that a busy machine does not matter.
func TestAFloodOfHeartbeatsIsSkipped(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"queue":    nil,
		"callback": func(c *Config) { c.OnEvent = func(*Session, Event) {} },
		"inline":   func(c *Config) { c.OnEvent, c.Inline = func(*Session, Event) {}, true },
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newFake(t, false, change)
			c := s.attach(newFakeLink(unbounded), 0)
			dec := codec.NewDecoder(codec.Format{}, 1)
			read := make([]byte, 64<<10)
			fed, seen := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
			for range 20 {
				begin := time.Now()
				rest, _, err := c.Feed(read, false)
				fed = min(fed, time.Since(begin))
				require.NoError(t, err)
				require.Empty(t, rest)

				begin = time.Now()
				require.Equal(t, len(read), dec.Heartbeats(read))
				seen = min(seen, time.Since(begin))
			}
			require.Less(t, fed, 4*seen)
			s.CloseNow(errCut)
		})
	}
}
