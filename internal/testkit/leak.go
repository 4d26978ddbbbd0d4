package testkit

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/leak"
)

// Main runs the tests of a package from its TestMain, and fails if they leave a goroutine of ours.
func Main(m *testing.M) { os.Exit(leak.Run(m.Run, Patience)) }

// StartedSince returns a function that returns the stacks of those goroutines of ours that run now
// and did not when StartedSince was called.
func StartedSince() func() []string { return leak.StartedSince() }

// NothingLeft waits until there is nothing left of what leftovers returns. What a session that was
// dropped has left ends with a garbage collection.
func NothingLeft(t testing.TB, leftovers func() []string) {
	t.Helper()
	require.Empty(t, leak.Settle(leftovers, Patience))
}

// Stacks returns the stacks of all goroutines, the caller's first.
func Stacks() []string { return leak.Stacks() }
