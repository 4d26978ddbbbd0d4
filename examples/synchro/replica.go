package main

import "slices"

// replica is a copy of a master's state. It takes snapshots and deltas in whatever order they come: a
// snapshot is sent to one session, a delta to a group, and the library promises no order between the
// two. What is left out, twice or late shows by its version.
type replica struct {
	state   State
	waiting bool    // for a snapshot
	early   []Delta // those that came meanwhile, at most maxEarly
}

// maxEarly is how many deltas wait for a snapshot. If there are more, another snapshot is asked for.
const maxEarly = 1024

func newReplica() replica { return replica{state: newState(Version{}, nil), waiting: true} }

// await says that a snapshot has been asked for, on a connection that has just begun.
func (r *replica) await() { r.waiting, r.early = true, nil }

// snapshot takes a state, and the deltas behind it that came before it. It returns those, and whether
// that was all: if not, another snapshot is wanted.
func (r *replica) snapshot(s State) (applied []Delta, complete bool) {
	if s.Life != r.state.Life || s.Number > r.state.Number { // never back to an older one
		r.state = s
	}
	early := r.early
	r.waiting, r.early = false, nil
	for i, d := range early {
		took, ok := r.delta(d)
		if !ok {
			r.early = slices.Clone(early[i:])
			return applied, false
		}
		if took {
			applied = append(applied, d)
		}
	}
	return applied, true
}

// delta takes a step. It reports whether that was taken, and whether all is well: if not, a step is
// missing, and a snapshot is wanted. One that comes twice or late is well, and not taken.
func (r *replica) delta(d Delta) (taken, ok bool) {
	switch {
	case r.waiting:
		if len(r.early) == maxEarly {
			r.early = r.early[1:] // it will be missing
		}
		r.early = append(r.early, d)
		return false, true
	case r.state.Apply(d):
		return true, true
	case d.To.Life == r.state.Life && d.To.Number <= r.state.Number:
		return false, true
	}
	r.waiting, r.early = true, append(r.early, d)
	return false, false
}
