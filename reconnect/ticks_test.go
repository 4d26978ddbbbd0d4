package reconnect

import (
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// ticker notes when it was called, and asks for more.
type ticker struct {
	mu    sync.Mutex
	at    []time.Duration
	start time.Time
	every time.Duration
	times int
}

func (k *ticker) Tick() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at = append(k.at, time.Since(k.start))
	if len(k.at) == k.times {
		return time.Time{}
	}
	return time.Now().Add(k.every)
}

// Each is called at its own instants, whatever the others want.
func TestTicksAtTheirInstants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ticks Ticks
		start := time.Now()
		var all []*ticker
		for i := range 100 {
			k := &ticker{start: start, every: time.Duration(1+i%7) * time.Second, times: 1 + i%5}
			all = append(all, k)
			ticks.Add(k, start.Add(time.Duration(100-i)*time.Millisecond)) // each a new head
		}
		time.Sleep(time.Minute)
		synctest.Wait() // run has ended by itself, or the bubble would not
		for i, k := range all {
			var want []time.Duration
			for n := range k.times {
				want = append(want, time.Duration(100-i)*time.Millisecond+time.Duration(n)*k.every)
			}
			require.Equal(t, want, k.at, "ticker %d", i)
		}
	})
}

// An instant long past is due now, and holds nobody up.
func TestTicksLongPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ticks Ticks
		past := &ticker{start: time.Now(), times: 1}
		other := &ticker{start: time.Now(), every: time.Second, times: 3}
		ticks.Add(other, time.Now().Add(time.Second))
		pass(1500 * time.Millisecond)
		ticks.Add(past, time.Now().Add(math.MinInt64).Add(-time.Second))
		pass(time.Minute)
		require.Len(t, past.at, 1)
		require.Len(t, other.at, 3)
	})
}

// What is stopped is not called any more, and the queue does not refer to it. The others are called
// as before.
func TestTickStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ticks Ticks
		start := time.Now()
		var all []*ticker
		for i := range 100 {
			k := &ticker{start: start, every: time.Hour, times: 2}
			all = append(all, k)
			tick := ticks.Add(k, start.Add(time.Duration(i*37%100+1)*time.Second))
			if i%3 == 0 {
				tick.Stop()
				tick.Stop() // no more harm
			}
		}
		ticks.mu.Lock()
		left := len(ticks.queue)
		ticks.mu.Unlock()
		require.Equal(t, 66, left)
		pass(2 * time.Hour)
		for i, k := range all {
			if i%3 == 0 {
				require.Empty(t, k.at)
				continue
			}
			due := time.Duration(i*37%100+1) * time.Second
			require.Equal(t, []time.Duration{due, due + time.Hour}, k.at)
		}
	})
}

// selfStopping is stopped while its Tick is being called, and returns a next instant all the same.
type selfStopping struct {
	ticker
	tick *Tick
}

func (k *selfStopping) Tick() time.Time {
	k.mu.Lock()
	k.tick.Stop()
	k.mu.Unlock()
	return k.ticker.Tick()
}

func TestTickStopDuringTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ticks Ticks
		k := &selfStopping{ticker: ticker{start: time.Now(), every: time.Second, times: 100}}
		k.mu.Lock()
		k.tick = ticks.Add(k, time.Now().Add(time.Second))
		k.mu.Unlock()
		pass(time.Minute)
		require.Len(t, k.at, 1)
	})
}

// An idle Ticks starts again, and a stopped one does not.
func TestTicksStartAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ticks Ticks
		k := &ticker{start: time.Now(), times: 1}
		ticks.Add(k, time.Now().Add(time.Second))
		pass(time.Minute)
		k.times = 2
		ticks.Add(k, time.Now().Add(time.Second))
		pass(time.Minute)
		require.Len(t, k.at, 2)
		k.times = 100
		k.every = time.Second
		ticks.Add(k, time.Now())
		pass(5500 * time.Millisecond)
		ticks.Stop()
		n := len(k.at)
		ticks.Add(k, time.Now())
		pass(time.Minute)
		require.Len(t, k.at, n)
	})
}

// pass lets time pass, and all that happens in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// A tick comes sooner than it was arranged, also if that is asked for while one is under way, and
// never later; what is stopped stays so.
func TestTickSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ticks Ticks
		start := time.Now()
		k := &ticker{start: start, every: time.Hour, times: 4}
		first := ticks.Add(&ticker{start: start, every: time.Minute, times: 600}, start.Add(time.Minute))
		tick := ticks.Add(k, start.Add(time.Hour))
		pass(time.Second)
		tick.Sooner(start.Add(2 * time.Hour)) // is later
		tick.Sooner(start.Add(3 * time.Second))
		tick.Sooner(start.Add(4 * time.Second))
		pass(9 * time.Second)
		require.Equal(t, []time.Duration{3 * time.Second}, k.at)
		tick.Sooner(start) // is due
		synctest.Wait()
		require.Equal(t, []time.Duration{3 * time.Second, 10 * time.Second}, k.at)

		during := &sooner{at: make(chan time.Duration, 10), start: start}
		during.tick = ticks.Add(during, start.Add(time.Hour))
		during.tick.Sooner(start.Add(11 * time.Second))
		pass(time.Minute)
		close(during.at)
		var at []time.Duration
		for d := range during.at {
			at = append(at, d)
		}
		require.Equal(t, []time.Duration{11 * time.Second, 12 * time.Second}, at)

		tick.Stop()
		tick.Sooner(time.Now())
		first.Stop()
		pass(3 * time.Hour)
		require.Len(t, k.at, 2)
		ticks.Stop()
		tick.Sooner(time.Now())
	})
}

// sooner asks, while it is called, for a tick that comes sooner than the one it returns.
type sooner struct {
	tick  *Tick
	start time.Time
	at    chan time.Duration
}

func (k *sooner) Tick() time.Time {
	k.at <- time.Since(k.start)
	if len(k.at) == 2 {
		k.tick.Stop()
		k.tick.Sooner(time.Now())
		return time.Now().Add(time.Second)
	}
	k.tick.Sooner(time.Now().Add(time.Minute))
	k.tick.Sooner(time.Now().Add(time.Second))
	k.tick.Sooner(time.Now().Add(2 * time.Second))
	return time.Now().Add(time.Hour)
}
