package resume

import (
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
	for now, later := []state{x.start}, []state(nil); len(now) > 0 && x.found == ""; now, later = later, now[:0] {
		for i := range now {
			later = x.further(&now[i], later)
		}
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
		if _, seen := x.states[h]; seen && x.fault == "" {
			continue
		}
		x.states[h] = came{from, a}
		home := ""
		if x.fault == "" {
			home = x.home(next)
		}
		if x.fault != "" {
			x.found = x.fault + x.history(h) + home
		}
		later = append(later, next)
	}
	return later
}

// home goes on from s with nothing from outside until nothing is left to do, and looks at where that
// is. It does so twice: with what can happen on older connections first, and last. It returns the
// actions if that shows a fault.
func (x *explorer) home(s state) string {
	s.left = budget{}
	for order := range x.good {
		at, dials := s, 0
		var path []action
		var came []uint64
		for {
			h := at.hash()
			if _, ok := x.good[order][h]; ok {
				break
			}
			came = append(came, h)
			a, ok := x.step(&at, order)
			x.check(&at)
			if !ok {
				x.checkHome(&at)
			}
			if a.op == opDial && ok {
				dials++
			}
			if ok {
				path = append(path, a)
			}
			if dials > maxDials {
				x.fault = "no connection lasts"
			}
			if x.fault != "" {
				return "\n  then, with nothing from outside:" + list(path)
			}
			if !ok {
				break
			}
		}
		for _, h := range came {
			x.good[order][h] = struct{}{}
		}
	}
	return ""
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

// history lists what has led to a state.
func (x *explorer) history(h uint64) string {
	var path []action
	for start := x.start.hash(); h != start; h = x.states[h].from {
		path = append([]action{x.states[h].by}, path...)
	}
	return list(path)
}

func list(path []action) string {
	var b strings.Builder
	for _, a := range path {
		b.WriteString("\n    " + a.String())
	}
	return b.String()
}
