//go:build unix

package weakchan

import (
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What 2,000 channels cost that somebody has kept and nobody uses, in percent of one CPU: by the
// timers of this package, spread over a second or all at once, and by a goroutine for each that
// looks every 10 ms.
func BenchmarkKept(b *testing.B) {
	const channels = 2000
	kept := make([]chan []byte, channels)
	for i := range kept {
		kept[i] = make(chan []byte, 64)
	}
	for name, apart := range map[string]time.Duration{"timers": maxPause / channels, "timersInStep": 0} {
		b.Run(name, func(b *testing.B) {
			over := make(chan struct{})
			for i, c := range kept {
				p := &poll[[]byte]{c: weakly(c), look: until(over, discard[[]byte](nil)), first: maxPause}
				time.AfterFunc(apart*time.Duration(i), p.turn)
			}
			time.Sleep(maxPause)
			reportCPU(b)
			close(over)
			time.Sleep(maxPause + 100*time.Millisecond) // the last looks
		})
	}
	b.Run("every10ms", func(b *testing.B) {
		over := make(chan struct{})
		var all sync.WaitGroup
		for _, c := range kept {
			all.Go(func() { lookEvery(10*time.Millisecond, weakly(c), until(over, discard[[]byte](nil))) })
		}
		reportCPU(b)
		close(over)
		all.Wait()
	})
	runtime.KeepAlive(kept)
}

// until is f until over is closed.
func until[T any](over <-chan struct{}, f look[T]) look[T] {
	return func(c chan T) (moved, done bool) {
		select {
		case <-over:
			return false, true
		default:
			return f(c)
		}
	}
}

func lookEvery[T any](pause time.Duration, c ref[T], f look[T]) {
	p := &poll[T]{c: c, look: f}
	for {
		if _, done := p.once(); done {
			return
		}
		time.Sleep(pause)
	}
}

// reportCPU measures the process during a second for each iteration.
func reportCPU(b *testing.B) {
	cpu, start := cpuTime(b), time.Now()
	for b.Loop() {
		time.Sleep(time.Second)
	}
	b.ReportMetric(100*float64(cpuTime(b)-cpu)/float64(time.Since(start)), "%CPU")
	b.ReportMetric(0, "ns/op") // would be a second
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
