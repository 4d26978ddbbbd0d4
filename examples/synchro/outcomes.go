package main

// remembered is how many commands of a mirror the master remembers, the newest ones. A mirror has fewer
// under way, see window: so it is never answered that one of them is forgotten.
const remembered = 1024

// outcome is what became of a command.
type outcome struct {
	seq     uint64 // which it was, counted from 1 by its mirror
	version uint64 // the state it has made, or by which it was refused
	refused bool
}

// outcomes are those of a mirror's last commands: what was executed is not executed again, and what was
// refused is not executed later.
type outcomes struct {
	newest uint64
	ring   [remembered]outcome // by seq
}

// find returns what became of a command. It is fresh if nothing became of it so far, and forgotten if
// it is so old that nobody knows: that one must not be executed.
func (o *outcomes) find(seq uint64) (known outcome, fresh, forgotten bool) {
	known = o.ring[seq%remembered]
	switch {
	case known.seq == seq:
		return known, false, false
	case o.newest >= remembered && seq <= o.newest-remembered:
		return outcome{}, false, true
	}
	return outcome{}, true, false
}

// keep remembers the outcome of a fresh command, in the place of an older one.
func (o *outcomes) keep(c outcome) {
	o.ring[c.seq%remembered] = c
	o.newest = max(o.newest, c.seq)
}
