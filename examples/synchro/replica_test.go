package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func stateAt(n uint64) State {
	return newState(Version{"life", n}, map[string]int64{"n": int64(n)})
}

func deltaTo(n uint64) Delta {
	return Delta{From: Version{"life", n - 1}, To: Version{"life", n}, Set: map[string]int64{"n": int64(n)}}
}

// A snapshot, and deltas from before it and behind it, make the last state in whatever order they come:
// or the replica wants another snapshot. It never has a state that no master had.
func TestEveryOrder(t *testing.T) {
	const last = 4
	deliver := []func(*replica) (complete bool){
		func(r *replica) bool { _, complete := r.snapshot(stateAt(2)); return complete },
	}
	for n := uint64(2); n <= last; n++ {
		deliver = append(deliver, func(r *replica) bool { _, ok := r.delta(deltaTo(n)); return ok })
	}
	complete := 0
	permutations(len(deliver), func(order []int) {
		r := newReplica()
		wanted := false
		for _, i := range order {
			if !deliver[i](&r) {
				wanted = true
			}
			require.Equal(t, int64(r.state.Number), r.state.Values["n"], "%v", order)
		}
		if !wanted {
			complete++
			require.Equal(t, uint64(last), r.state.Number, "%v", order)
			require.False(t, r.waiting)
		}
		_, ok := r.snapshot(stateAt(last + 1))
		require.True(t, ok, "%v", order)
		require.Equal(t, stateAt(last+1), r.state)
	})
	require.Equal(t, 12, complete, "all orders in which the deltas behind the snapshot keep theirs")
}

// permutations calls f with all orders of the numbers below n.
func permutations(n int, f func([]int)) {
	order := make([]int, 0, n)
	used := make([]bool, n)
	var next func()
	next = func() {
		if len(order) == n {
			f(order)
			return
		}
		for i := range n {
			if used[i] {
				continue
			}
			used[i], order = true, append(order, i)
			next()
			used[i], order = false, order[:len(order)-1]
		}
	}
	next()
}

// A snapshot that is older than what the replica has does not take it back, as one of another life does.
func TestNeverBack(t *testing.T) {
	r := newReplica()
	r.snapshot(stateAt(5))
	r.await()
	_, complete := r.snapshot(stateAt(3))
	require.True(t, complete)
	require.Equal(t, stateAt(5), r.state)
	other := newState(Version{"other", 3}, nil)
	r.await()
	r.snapshot(other)
	require.Equal(t, other, r.state)
	_, ok := r.delta(deltaTo(4))
	require.False(t, ok, "a step of another life")
	require.Equal(t, other, r.state)
}

// What waits for a snapshot is bounded. What was left out is noticed.
func TestManyEarlyDeltas(t *testing.T) {
	r := newReplica()
	for n := range uint64(maxEarly + 1) {
		r.delta(deltaTo(n + 2))
	}
	require.Len(t, r.early, maxEarly)
	_, complete := r.snapshot(stateAt(1))
	require.False(t, complete)
	require.Equal(t, stateAt(1), r.state)
	_, complete = r.snapshot(stateAt(2))
	require.True(t, complete)
	require.Equal(t, stateAt(maxEarly+2), r.state)
}
