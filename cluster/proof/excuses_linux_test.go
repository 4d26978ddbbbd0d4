package proof

import (
	"fmt"
	"slices"
)

// excuse is a session that may have been given messages that have not come: those behind what came of them
// last, until it ended.
type excuse struct {
	last   map[string]int // of each sender
	killed bool           // with its node: nobody says how many
	end    int64          // when
	unsent int            // what it took, and what has not come
	told   int            // how many it has said that may not have come, when it closed
}

// excuses returns the sessions of each name that excuse something. The caller holds mu.
func (b *books) excuses() map[string][]excuse {
	of := map[string][]excuse{}
	for id, s := range b.stays {
		killed, was := b.killed[id.node]
		e := excuse{last: s.last, killed: was, end: killed}
		if s.closed != nil {
			e.killed, e.end = false, s.closed.At
			e.unsent, e.told = s.closed.Number-s.came, s.closed.Queued+s.closed.Lost
		}
		of[s.name] = append(of[s.name], e)
	}
	// There are sessions of which their client has not heard.
	for i := range b.members {
		r := &b.members[i]
		if killed, was := b.killed[r.Node]; was && b.stays[sessionID{r.Node, r.Session}] == nil {
			of[r.Name] = append(of[r.Name], excuse{killed: true, end: killed})
		}
	}
	for i := range b.closed {
		if r := &b.closed[i]; b.stays[sessionID{r.Node, r.Session}] == nil {
			of[r.Name] = append(of[r.Name], excuse{end: r.At, unsent: r.Number, told: r.Queued + r.Lost})
		}
	}
	return of
}

// unexcused returns the messages that were queued, and have neither come nor may be among those that a
// session had not sent when it closed, or when its node was killed.
func (b *books) unexcused() (keys []key, missing int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	of := b.excuses()
	spent := map[string]int{}
	for k, r := range b.sent {
		if _, came := b.came[k]; came || r.Outcome != "ok" {
			continue
		}
		missing++
		killed, closed := false, false
		for _, e := range of[k.name] {
			if k.number > e.last[k.sender] && r.Began < e.end {
				killed, closed = killed || e.killed, closed || e.unsent > 0
			}
		}
		switch {
		case killed:
		case closed:
			spent[k.name]++
		default:
			keys = append(keys, k)
		}
	}
	for name, all := range of {
		unsent := 0
		for _, e := range all {
			if unsent += e.unsent; e.unsent > e.told || e.unsent < 0 {
				keys = append(keys, key{fmt.Sprintf("a session told %d, and missing are", e.told), name, e.unsent})
			}
		}
		if spent[name] > unsent {
			keys = append(keys, key{fmt.Sprintf("sessions took %d that are missing, and Send says", unsent), name, spent[name]})
		}
	}
	slices.SortFunc(keys, func(a, b key) int { return a.number - b.number })
	return keys, missing
}
