package weakchan

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Each pause is a quarter longer than the one before, up to a second, and the first again when
// something has moved.
func TestPauses(t *testing.T) {
	for _, first := range []time.Duration{drainPause, deliverPause} {
		synctest.Test(t, func(t *testing.T) {
			const looks, moves = 60, 45
			c := make(chan int)
			var got []time.Duration
			last := time.Now()
			serve(weakly(c), first, func(chan int) (moved, done bool) {
				got = append(got, time.Since(last))
				last = time.Now()
				return len(got) == moves, len(got) == looks
			})
			time.Sleep(time.Hour)
			synctest.Wait()
			runtime.KeepAlive(c)

			want := []time.Duration{0}
			for pause := first; len(want) < looks; pause += pause / 4 {
				if len(want) == moves {
					pause = first
				}
				want = append(want, min(pause, time.Second))
			}
			require.Equal(t, want, got)
			require.Equal(t, time.Second, got[moves-1])
			require.Equal(t, first, got[moves])
		})
	}
}

// The pauses as they are stated.
func TestPausesOfDrainAndDeliver(t *testing.T) {
	require.Equal(t, time.Millisecond, drainPause)
	require.Equal(t, 100*time.Microsecond, deliverPause)
	require.Equal(t, time.Second, maxPause)
}

// However long nothing happens, the pause is a second: it neither overflows nor becomes none.
func TestPausesOfADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := make(chan int)
		var looks atomic.Int64
		serve(weakly(c), drainPause, func(chan int) (moved, done bool) { looks.Add(1); return false, false })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		settled := looks.Load()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		require.EqualValues(t, 24*60*60, looks.Load()-settled)
		runtime.KeepAlive(c)
	})
}

// After a long time without any, a send waits at most a second, and the next a millisecond.
func TestDrainAfterALongTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := make(chan int)
		Drain(c, nil)
		time.Sleep(10*time.Minute + 123*time.Microsecond)
		start := time.Now()
		c <- 1
		require.Greater(t, time.Since(start), drainPause)
		require.LessOrEqual(t, time.Since(start), maxPause)
		start = time.Now()
		c <- 2
		require.LessOrEqual(t, time.Since(start), drainPause)
	})
}

// After a long time without a receive, the channel is filled within a second of it.
func TestDeliverAfterALongTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := make(chan int, 1)
		Deliver(c, numbers(4))
		time.Sleep(10 * time.Minute)
		require.Equal(t, 0, <-c)
		for want := 1; want < 4; want++ {
			start := time.Now()
			require.Equal(t, want, <-c)
			if want == 1 {
				require.LessOrEqual(t, time.Since(start), maxPause)
			} else {
				require.LessOrEqual(t, time.Since(start), deliverPause)
			}
		}
		_, open := <-c
		require.False(t, open)
	})
}
