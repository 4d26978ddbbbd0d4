package main

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// A command is fresh once. Of those that are too old to be remembered none is fresh again.
func TestOutcomes(t *testing.T) {
	var o outcomes
	for seq := uint64(1); seq <= 3*remembered; seq++ {
		if seq%10 == 0 {
			continue // it never came
		}
		_, fresh, forgotten := o.find(seq)
		require.True(t, fresh)
		require.False(t, forgotten)
		o.keep(outcome{seq: seq, version: seq + 1, refused: seq%2 == 0})
	}
	for seq := uint64(1); seq <= 3*remembered; seq++ {
		known, fresh, forgotten := o.find(seq)
		switch {
		case seq <= o.newest-remembered:
			require.False(t, fresh, seq)
			require.NotEqual(t, forgotten, known.seq == seq, seq) // some are known for longer
		case seq%10 == 0:
			require.True(t, fresh, seq)
		default:
			require.Equal(t, outcome{seq, seq + 1, seq%2 == 0}, known)
			require.False(t, fresh || forgotten, seq)
		}
	}
	o.keep(outcome{seq: math.MaxUint64})
	_, fresh, forgotten := o.find(3*remembered + 1)
	require.True(t, forgotten)
	require.False(t, fresh)
}

// The mirrors that are away are known up to a bound, those that left last.
func TestAbsentMirrors(t *testing.T) {
	m := NewMaster()
	var tickets []string
	for range maxAbsent + 3 {
		mirror := m.recognise("")
		tickets = append(tickets, mirror.ticket)
		m.leave(mirror, nil)
		if len(tickets) == 2 { // the first one comes again, and leaves behind the second
			m.leave(m.recognise(tickets[0]), nil)
		}
	}
	require.Len(t, m.mirrors, maxAbsent)
	require.Len(t, m.absent, maxAbsent)
	for i, known := range []bool{false, false, false, true} {
		require.Equal(t, known, m.mirrors[tickets[i]] != nil, i)
	}
	require.NotEqual(t, tickets[0], m.recognise(tickets[0]).ticket)
	require.Equal(t, tickets[3], m.recognise(tickets[3]).ticket)
}
