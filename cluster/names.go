package cluster

import (
	"cmp"
	"time"
)

// This is what a directory knows of names: who claims them, and who of several has them.

// holder is a session that claims a name.
type holder struct {
	node           nodeID
	session, clock uint64
}

// over reports whether a claim wins against another one, everywhere in the same way.
func (h holder) over(other holder) bool {
	return cmp.Or(cmp.Compare(h.clock, other.clock), cmp.Compare(h.node, other.node)) > 0
}

// holder returns who holds a name.
func (d *directory) holder(name string) (holder, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.holderLocked(name)
}

func (d *directory) holderLocked(name string) (best holder, held bool) {
	for _, h := range d.names[name] {
		if !held || h.over(best) {
			best, held = h, true
		}
	}
	return best, held
}

// losers returns the claims of this node that have lost their names to others since it was last asked.
func (d *directory) losers() (lost []entryID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range d.contested {
		best, _ := d.holderLocked(name)
		for _, h := range d.names[name] {
			if h.node == d.self && h != best {
				lost = append(lost, entryID{kindName, name, h.session})
			}
		}
	}
	d.contested = nil
	return lost
}

// maxClock is the largest clock that is learned from others, so that it never overflows.
const maxClock = 1 << 62

// tick returns the clock of a claim that is made now: larger than all that are known, and at least the
// time, in microseconds. The time lets a claim of a node that has just started, or is cut off and so
// does not know the others' clocks, win against older ones. The caller holds mu.
func (d *directory) tick(now time.Time) uint64 {
	d.clock = max(d.clock+1, uint64(max(now.UnixMicro(), 0)))
	return d.clock
}

func (d *directory) learn(clock uint64) { d.clock = max(d.clock, min(clock, maxClock)) }

// claim makes a name stand for a session of this node, unless refuse is set and another one has it. A
// claim that refuses does not tick by the time: if it could not know of another one, it is to lose.
func (d *directory) claim(name string, session uint64, refuse bool, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := entry{kind: kindName, key: name, session: session}
	if _, held := d.holderLocked(name); held && refuse {
		return false
	}
	if refuse {
		now = time.Time{}
	}
	e.clock = d.tick(now)
	return d.ownLocked(change{entry: e})
}
