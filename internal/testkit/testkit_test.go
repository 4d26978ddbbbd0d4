package testkit

import (
	"bytes"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The meter sees what is held, as objects and as stacks, and not what is garbage.
func TestHeap(t *testing.T) {
	const size = 8 << 20
	before := Heap()
	held := make([]byte, size)
	require.InDelta(t, size, Heap()-before, size/8)
	runtime.KeepAlive(held)
	held = nil
	require.InDelta(t, 0, Heap()-before, size/8)

	over := make(chan struct{})
	for range 2000 {
		go linger(over)
	}
	Eventually(t, func() bool { return runtime.NumGoroutine() > 2000 }, "all are there")
	require.Greater(t, Heap()-before, int64(1000*2048))
	close(over)
	_ = held
}

// The meter may be read inside a bubble.
func TestHeapInsideABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { require.Positive(t, Heap()) })
}

// The wire, byte for byte, and what is read off it.
func TestFrames(t *testing.T) {
	wire := Frames("one", "", "three")
	require.Equal(t, "\x00\x00\x00\x03one\x00\x00\x00\x00\x00\x00\x00\x05three", string(wire))
	require.Equal(t, wire, Frames([]byte("one"), nil, []byte("three")))

	r := bytes.NewReader(wire)
	for _, want := range []string{"one", "", "three"} {
		got, err := ReadFrame(r)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	_, err := ReadFrame(r)
	require.ErrorIs(t, err, io.EOF)
	r = bytes.NewReader(wire)
	for _, want := range []string{"one", "three"} {
		got, err := ReadMessage(r)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	_, err = ReadMessage(r)
	require.ErrorIs(t, err, io.EOF)
	// Within a header, between header and payload, within a payload.
	for _, n := range []int{1, 3, 4, 6} {
		_, err := ReadMessage(bytes.NewReader(wire[:n]))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d bytes", n)
	}
}

// failing is a test that notes whether it has failed, and ends its goroutine as a real one does.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Helper()               {}
func (f *failing) Errorf(string, ...any) { f.failed = true }
func (f *failing) FailNow()              { runtime.Goexit() }

// failsAfterPatience wants a wait to fail its test, once Patience is over, in fake time.
func failsAfterPatience(t *testing.T, wait func(t testing.TB)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		f := &failing{TB: t}
		done := make(chan struct{})
		go func() { defer close(done); wait(f) }()
		<-done
		require.True(t, f.failed)
		require.InDelta(t, Patience, time.Since(start), float64(time.Second))
	})
}

// A wait for what does not come fails.
func TestWaitsFail(t *testing.T) {
	failsAfterPatience(t, func(t testing.TB) { Eventually(t, func() bool { return false }, "this") })
	failsAfterPatience(t, func(t testing.TB) { Take(t, make(chan int)) })
	failsAfterPatience(t, func(t testing.TB) { Put(t, make(chan int), 1) })
	failsAfterPatience(t, func(t testing.TB) { Ended(t, make(chan int)) })

	closed, full := make(chan int), make(chan int, 1)
	close(closed)
	full <- 1
	for _, wait := range []func(testing.TB){
		func(t testing.TB) { Take(t, closed) },
		func(t testing.TB) { Ended(t, full) },
	} {
		f := &failing{TB: t}
		done := make(chan struct{})
		go func() { defer close(done); wait(f) }()
		<-done
		require.True(t, f.failed)
	}
	require.False(t, Within(time.Millisecond, func() { time.Sleep(100 * time.Millisecond) }))
	require.True(t, Within(Patience, func() {}))
}
