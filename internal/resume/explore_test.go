package resume

import (
	"slices"
	"strings"
)

// came says how a state was first come to.
type came struct {
	from uint64
	by   action
}

// explorer tries everything that can happen, the shortest histories first.
type explorer struct {
	model
	states map[uint64]came
	good   [2]map[uint64]struct{} // from these the ends come home, by either schedule
	start  state
	found  string // the first fault, and what has led to it
}

func newExplorer(r rules, left budget) *explorer {
	x := &explorer{model: model{rules: r, doubtful: left.lapses > 0}, states: map[uint64]came{}}
	for i := range x.good {
		x.good[i] = map[uint64]struct{}{}
	}
	x.start = state{left: left, nonces: 1, dialer: dialer{nonce: 1}}
	return x
}

// run returns the first fault and the history that leads to it, or "".
func (x *explorer) run() string {
	x.states[x.start.hash()] = came{}
	now, later := []state{x.start}, []state(nil)
	for len(now) > 0 && x.found == "" {
		for i := range now {
			later = x.further(&now[i], later)
		}
		now, later = later, now[:0]
	}
	return x.found
}

// further appends the states that follow on s and are new.
func (x *explorer) further(s *state, later []state) []state {
	from := s.hash()
	for _, a := range actions {
		if x.found != "" || !s.has(a) {
			continue
		}
		next := *s
		if a.op == opDial && !spend(&next.left.dials) || !x.do(&next, a) {
			continue
		}
		x.check(&next)
		h := next.hash()
		_, seen := x.states[h]
		home := ""
		if x.fault == "" && !seen {
			home = x.home(next)
		}
		if x.fault != "" {
			x.found = x.fault + list(append(x.history(from), a)) + home
		}
		if !seen {
			x.states[h] = came{from, a}
			later = append(later, next)
		}
	}
	return later
}

// home goes on from s with nothing from outside until nothing is left to do, and looks at where that
// is. It does so twice: with what can happen on older connections first, and last. It returns the
// actions if that shows a fault.
func (x *explorer) home(s state) string {
	s.left = budget{}
	for order := range x.good {
		if path := x.goHome(s, order); x.fault != "" {
			return "\n  then, with nothing from outside:" + list(path)
		}
	}
	return ""
}

func (x *explorer) goHome(s state, order int) (path []action) {
	good, dials := x.good[order], 0
	var passed []uint64
	for x.fault == "" {
		h := s.hash()
		if _, ok := good[h]; ok {
			break
		}
		passed = append(passed, h)
		a, ok := x.step(&s, order)
		x.check(&s)
		if !ok {
			x.checkHome(&s)
			break
		}
		path = append(path, a)
		if a.op == opDial {
			dials++
		}
		if dials > maxDials {
			x.fault = "no connection lasts"
		}
	}
	for _, h := range passed {
		good[h] = struct{}{}
	}
	return path
}

// maxDials is how many times a dialer may have to dial when nothing goes wrong any more: an old Hello may
// have come in between, or a session be over.
const maxDials = 3

// step has the first thing happen that can.
func (x *explorer) step(s *state, order int) (action, bool) {
	for i := range actions {
		a := actions[i]
		if order == 1 && a.c != 0 {
			a.c = maxConns + 1 - a.c
		}
		if a.op >= calm {
			break
		}
		if !s.has(a) {
			continue
		}
		next := *s
		if x.do(&next, a) {
			*s = next
			return a, true
		}
	}
	return action{}, false
}

// history is what has led to a state.
func (x *explorer) history(h uint64) (path []action) {
	for start := x.start.hash(); h != start; h = x.states[h].from {
		path = append(path, x.states[h].by)
	}
	slices.Reverse(path)
	return path
}

func list(path []action) string {
	var b strings.Builder
	for _, a := range path {
		b.WriteString("\n    " + a.String())
	}
	return b.String()
}
