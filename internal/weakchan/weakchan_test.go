package weakchan

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// everywhere runs a test by the real clock and inside a bubble.
func everywhere(t *testing.T, f func(t *testing.T)) {
	t.Run("real", f)
	t.Run("bubble", func(t *testing.T) { synctest.Test(t, f) })
}

// numbers returns 0 to n-1.
func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// A receiver that has kept nothing but the channel gets everything, in order, and then its end.
func TestDeliver(t *testing.T) {
	for _, size := range []int{0, 1, 8, 100} {
		everywhere(t, func(t *testing.T) {
			c := make(chan int, size)
			Deliver(c, numbers(50))
			require.Len(t, c, min(size, 50), "what fits is sent at once")
			next := 0
			for got := range c {
				if next == 25 {
					runtime.GC()
				}
				require.Equal(t, next, got)
				next++
			}
			require.Equal(t, 50, next)
		})
	}
}

// What fits at once needs no timer.
func TestDeliverAtOnce(t *testing.T) {
	for _, rest := range [][]int{nil, {}, {1, 2}} {
		c := make(chan int, 2)
		Deliver(c, rest)
		require.Len(t, c, len(rest))
		for range rest {
			<-c
		}
		select {
		case _, open := <-c:
			require.False(t, open)
		default:
			t.Fatal("the channel is not closed")
		}
	}
}

// What was there before goes first.
func TestDeliverBehindWhatIsThere(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		c := make(chan int, 3)
		c <- 0
		c <- 1
		Deliver(c, []int{2, 3, 4})
		for want := range 5 {
			require.Equal(t, want, <-c)
		}
		_, open := <-c
		require.False(t, open)
	})
}

// The channel alone keeps what has been delivered.
func TestDeliverClearsWhatItSent(t *testing.T) {
	c, rest := make(chan *int, 1), []*int{new(int), new(int)}
	Deliver(c, rest)
	require.Nil(t, rest[0])
	require.NotNil(t, rest[1])
	<-c
	<-c
	_, open := <-c
	require.False(t, open)
	require.Nil(t, rest[1])
}

// A sender that has kept nothing but the channel never hangs, and all it sends is counted.
func TestDrain(t *testing.T) {
	for _, size := range []int{0, 1, 64} {
		everywhere(t, func(t *testing.T) {
			c := make(chan int, size)
			for range size {
				c <- 1
			}
			var late atomic.Int64
			Drain(c, func(n int) { late.Add(int64(n)) })
			require.EqualValues(t, size, late.Load(), "the first look comes before Drain returns")
			for i := range 3*size + 3 {
				if i == size {
					runtime.GC()
				}
				c <- 1
			}
			close(c)
			for end := time.Now().Add(10 * time.Second); late.Load() < int64(4*size+3); time.Sleep(time.Millisecond) {
				require.True(t, time.Now().Before(end))
			}
			require.EqualValues(t, 4*size+3, late.Load())
		})
	}
}

// However many senders there are, Drain returns, and so does each look after it.
func TestDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := make(chan int)
		for range 2*maxDrained + 5 {
			go func() { c <- 1 }()
		}
		synctest.Wait()
		looks := make(chan int, 5)
		start := time.Now()
		Drain(c, func(n int) { looks <- n })
		for _, want := range []int{maxDrained, maxDrained, 5} {
			require.Equal(t, want, <-looks)
		}
		require.Equal(t, 2*drainPause, time.Since(start))
	})
}

// The sender's close ends Drain: no timer is pending, and no look follows.
func TestDrainEndsByClose(t *testing.T) {
	var c chan int
	f := discard[int](nil)
	c = make(chan int, 2)
	moved, done := f(c)
	require.False(t, moved)
	require.False(t, done)
	c <- 1
	close(c)
	moved, done = f(c)
	require.True(t, moved)
	require.True(t, done)
	Drain(c, nil)
}

// A nil channel is one that nothing refers to.
func TestNilChannel(t *testing.T) {
	Drain[int](nil, nil)
	Deliver(nil, []int{1})
}

// No goroutine waits for a channel that is served.
func TestNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	var kept []chan int
	for range 1000 {
		full := make(chan int)
		Deliver(full, []int{1})
		empty := make(chan int)
		Drain(empty, nil)
		kept = append(kept, full, empty)
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+10; runtime.Gosched() {
		require.True(t, time.Now().Before(end), "%d goroutines", runtime.NumGoroutine())
	}
	runtime.KeepAlive(kept)
}

// A receiver that takes one value after the other does not wait for the timer between them.
func TestDeliverToABusyReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		c := make(chan int)
		Deliver(c, numbers(n))
		start := time.Now()
		for want := range n {
			require.Equal(t, want, <-c)
		}
		require.Less(t, time.Since(start), n*deliverPause/10)
	})
}
