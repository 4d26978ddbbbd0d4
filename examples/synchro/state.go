package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Version names one state of a master. Masters count from 0, so each has a Life of its own, chosen at
// random: the numbers of one that was restarted do not mean states of the one before.
type Version struct {
	Life   string `json:"life"`
	Number uint64 `json:"number"`
}

// State is what is mirrored: numbers by name. One that is not there counts as 0.
type State struct {
	Version
	Values map[string]int64
	size   int // of Values, see cost
}

// Delta is the step from one state to the next.
type Delta struct {
	From   Version          `json:"from"`
	To     Version          `json:"to"`
	Set    map[string]int64 `json:"set,omitempty"`
	Delete []string         `json:"delete,omitempty"`
	By     uint64           `json:"by"`  // the mirror that has asked for it
	Seq    uint64           `json:"seq"` // which of its commands that was
}

// Command is what a mirror asks for. It is executed as a whole or refused as a whole.
type Command struct {
	Ensure map[string]int64 `json:"ensure,omitempty"` // refused unless these are the values
	Set    map[string]int64 `json:"set,omitempty"`
	Add    map[string]int64 `json:"add,omitempty"`    // to what Set has set, if it has
	Delete []string         `json:"delete,omitempty"` // wins over Set and Add
}

// ErrRefused is the answer to a command that was not executed, since its Ensure does not hold, or
// since the state would become too large.
var ErrRefused = errors.New("refused")

// maxState bounds the values in a state, as a snapshot writes them. So each snapshot and each delta
// fits into a message, and into an empty WriteBuffer: a state that is too large to be mirrored cannot
// come to be.
const maxState = 1 << 20 // bytes

// cost is the most that a value may take in a snapshot, where each byte of its name may be escaped.
func cost(name string) int { return 6*len(name) + len(`"":-9223372036854775808,`) }

// newState returns a state, which owns the values.
func newState(v Version, values map[string]int64) State {
	s := State{Version: v, Values: values}
	if values == nil {
		s.Values = make(map[string]int64)
	}
	for name := range values {
		s.size += cost(name)
	}
	return s
}

// clone returns a state that shares nothing with this one.
func (s State) clone() State {
	s.Values = maps.Clone(s.Values)
	return s
}

// Apply takes the step, and reports false if that does not begin here.
func (s *State) Apply(d Delta) bool {
	if d.From != s.Version {
		return false
	}
	for name, value := range d.Set {
		if _, there := s.Values[name]; !there {
			s.size += cost(name)
		}
		s.Values[name] = value
	}
	for _, name := range d.Delete {
		if _, there := s.Values[name]; there {
			s.size -= cost(name)
		}
		delete(s.Values, name)
	}
	s.Version = d.To
	return true
}

// Execute returns the step that a command makes of this state, which it leaves as it is. The error
// wraps ErrRefused.
func (s State) Execute(c Command) (Delta, error) {
	for name, want := range c.Ensure {
		if got := s.Values[name]; got != want {
			return Delta{}, fmt.Errorf("%w: %q is %d, not %d", ErrRefused, name, got, want)
		}
	}
	d := Delta{From: s.Version, To: s.Version, Set: make(map[string]int64)}
	d.To.Number++
	maps.Copy(d.Set, c.Set)
	for name, n := range c.Add {
		if _, set := d.Set[name]; !set {
			d.Set[name] = s.Values[name]
		}
		d.Set[name] += n
	}
	for _, name := range c.Delete {
		delete(d.Set, name)
		if _, there := s.Values[name]; there {
			d.Delete = append(d.Delete, name)
		}
	}
	slices.Sort(d.Delete)
	d.Delete = slices.Compact(d.Delete)
	if size := s.sizeAfter(d); size > maxState && size > s.size {
		return Delta{}, fmt.Errorf("%w: the state would take %d bytes of at most %d", ErrRefused, size, maxState)
	}
	return d, nil
}

func (s State) sizeAfter(d Delta) int {
	size := s.size
	for name := range d.Set {
		if _, there := s.Values[name]; !there {
			size += cost(name)
		}
	}
	for _, name := range d.Delete {
		size -= cost(name)
	}
	return size
}
