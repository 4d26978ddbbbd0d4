package load

import (
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Stopwatch takes times while it is started. One goroutine records; another one starts and stops it, and reads it
// after the recording has ended.
type Stopwatch struct {
	on    *atomic.Bool
	times *hdrhistogram.Histogram
}

// NewStopwatch returns one that is not started yet.
func NewStopwatch() Stopwatch { return Stopwatch{on: new(atomic.Bool), times: newHistogram()} }

// Start begins the measured time.
func (s Stopwatch) Start() { s.on.Store(true) }

// Stop ends it.
func (s Stopwatch) Stop() { s.on.Store(false) }

// Record notes one time, if started.
func (s Stopwatch) Record(d time.Duration) {
	if s.on.Load() {
		_ = s.times.RecordValue(max(d.Nanoseconds(), lowest))
	}
}

// Into adds the distribution to a result.
func (s Stopwatch) Into(r Result) Result { return r.with(s.times) }
