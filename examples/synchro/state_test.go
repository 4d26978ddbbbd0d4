package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func values(pairs ...any) map[string]int64 {
	m := make(map[string]int64)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = int64(pairs[i+1].(int))
	}
	return m
}

func TestExecute(t *testing.T) {
	for name, c := range map[string]struct {
		command Command
		want    map[string]int64 // nil: refused
	}{
		"set":                       {Command{Set: values("a", 5, "c", 7)}, values("a", 5, "b", 2, "c", 7)},
		"add":                       {Command{Add: values("a", 5, "c", 7)}, values("a", 6, "b", 2, "c", 7)},
		"add to what is set":        {Command{Set: values("a", 5), Add: values("a", -2)}, values("a", 3, "b", 2)},
		"delete":                    {Command{Delete: []string{"a", "a", "c"}}, values("b", 2)},
		"delete what is set":        {Command{Set: values("a", 5, "c", 7), Delete: []string{"a", "c"}}, values("b", 2)},
		"nothing":                   {Command{}, values("a", 1, "b", 2)},
		"ensured":                   {Command{Ensure: values("a", 1, "c", 0), Set: values("c", 1)}, values("a", 1, "b", 2, "c", 1)},
		"another value":             {Command{Ensure: values("a", 1, "b", 3), Set: values("c", 1)}, nil},
		"a value that is not there": {Command{Ensure: values("c", 1)}, nil},
		"too large":                 {Command{Set: values(strings.Repeat("x", maxState/6), 1)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newState(Version{"life", 7}, values("a", 1, "b", 2))
			before := s.clone()
			d, err := s.Execute(c.command)
			require.Equal(t, before, s, "to execute changes nothing")
			if c.want == nil {
				require.ErrorIs(t, err, ErrRefused)
				return
			}
			require.NoError(t, err)
			require.True(t, s.Apply(d))
			require.Equal(t, newState(Version{"life", 8}, c.want), s)
			require.False(t, s.Apply(d), "it does not begin here")
			require.Equal(t, newState(Version{"life", 8}, c.want), s)
		})
	}
}

// Versions of another life are others, also if their numbers are the same.
func TestLives(t *testing.T) {
	s := newState(Version{"one", 7}, nil)
	require.False(t, s.Apply(Delta{From: Version{"two", 7}, To: Version{"two", 8}}))
	require.Equal(t, Version{"one", 7}, s.Version)
}

// What the largest state takes as a snapshot is less than a message may have, and so is the largest
// delta. A state that is full can be made smaller.
func TestTheLargestState(t *testing.T) {
	s := newState(Version{}, nil)
	c := Command{Set: make(map[string]int64)}
	for size := 0; ; {
		name := strings.Repeat("\x00", 50) + string(rune(len(c.Set)+1))
		if size += cost(name); size > maxState {
			break
		}
		c.Set[name] = -1 << 63
	}
	d, err := s.Execute(c)
	require.NoError(t, err)
	require.True(t, s.Apply(d))
	_, err = s.Execute(Command{Set: map[string]int64{strings.Repeat("x", 1000): 1}})
	require.ErrorIs(t, err, ErrRefused)

	encoded := message{Snapshot: &snapshot{Values: s.Values}}.encode()
	require.Greater(t, len(encoded), maxState/2)
	require.Less(t, len(encoded), maxState+1000)
	c = Command{}
	for name := range s.Values {
		c.Delete = append(c.Delete, name)
	}
	d, err = s.Execute(c)
	require.NoError(t, err)
	require.Less(t, len(message{Delta: &d}.encode()), maxState+1000)
	require.True(t, s.Apply(d))
	require.Zero(t, s.size)
}
