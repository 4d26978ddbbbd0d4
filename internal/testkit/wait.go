package testkit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Patience is how long a test waits for one thing to happen. It is long, because a busy machine is
// no reason to fail: only a hang uses it up.
const Patience = 20 * time.Second

// Context returns a context that ends after Patience, or with the test.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// Eventually waits for what no event tells: until the condition holds. What is waited for stands in
// the message of the failure.
func Eventually(t testing.TB, condition func() bool, what string, args ...any) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			require.Fail(t, "this never came: "+fmt.Sprintf(what, args...))
		}
	}
}

// Within reports whether f returns in the given time, by far the shortest that anything takes which
// it could be waiting for.
func Within(d time.Duration, f func()) bool {
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
		return true
	case <-time.After(d):
		return false
	}
}

// Take receives from a channel that is to have something soon.
func Take[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-c:
		require.True(t, ok, "channel closed")
		return v
	case <-time.After(Patience):
		require.Fail(t, "nothing came")
		panic("unreachable")
	}
}

// Put sends to a channel that is to take it soon.
func Put[T any](t testing.TB, c chan<- T, v T) {
	t.Helper()
	select {
	case c <- v:
	case <-time.After(Patience):
		require.Fail(t, "channel took nothing")
	}
}

// Ended waits until a channel is closed, with nothing more in it.
func Ended[T any](t testing.TB, c <-chan T) {
	t.Helper()
	select {
	case v, ok := <-c:
		require.False(t, ok, "got %v, want the channel closed", v)
	case <-time.After(Patience):
		require.Fail(t, "channel was not closed")
	}
}
