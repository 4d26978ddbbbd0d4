package cluster

import "time"

// This is how a directory takes in what other nodes say: changes in their order, and where some are
// missing, all entries anew.

// maxWaiting is how many changes may wait for those before them. Beyond it they are asked for again.
const maxWaiting = 1 << 16

// heard takes in a digest. It reports whether the node is a new one, and whether its entries are to be
// asked for.
func (d *directory) heard(g digest, now time.Time) (isNew, ask bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.nodes[g.node]
	if r == nil {
		r = &record{entries: map[entryID]entry{}}
		d.nodes[g.node] = r
		isNew = true
	}
	r.digest, r.heard = g, now
	d.clock = max(d.clock, g.clock)
	return isNew, d.behind(r, g.changes)
}

// behind reports whether a node's entries are to be asked for, of which there were so many changes. The
// caller holds mu.
func (d *directory) behind(r *record, changes uint64) bool {
	if r.changes >= changes || r.syncing {
		return false
	}
	r.syncing = true
	return true
}

// changed takes in changes of a node that is known. It reports whether its entries are to be asked for.
func (d *directory) changed(n delta) (ask bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.nodes[n.node]
	if r == nil || n.node == d.self {
		return false // its digest comes first
	}
	if n.first <= r.changes+1 {
		d.take(r, n)
		return false
	}
	if r.awaiting += len(n.changes); r.awaiting > maxWaiting {
		r.waiting, r.awaiting = nil, 0
	} else {
		r.waiting = append(r.waiting, n)
	}
	return d.behind(r, n.first)
}

// take takes in those changes that are new; none before them is missing. The caller holds mu.
func (d *directory) take(r *record, n delta) {
	for i := range n.changes {
		if number := n.first + uint64(i); number > r.changes {
			d.change(r, n.changes[i])
			r.changes = number
		}
	}
}

// synced takes in all entries of a node, as they were after so many changes, and then what came
// meanwhile. It reports whether they are to be asked for again.
func (d *directory) synced(id nodeID, changes uint64, entries []entry) (ask bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.nodes[id]
	if r == nil || id == d.self {
		return false
	}
	r.syncing = false
	if changes > r.changes {
		there := make(map[entryID]struct{}, len(entries))
		for i := range entries {
			there[entries[i].id()] = struct{}{}
			d.change(r, change{entry: entries[i]})
		}
		for id, e := range r.entries {
			if _, is := there[id]; !is {
				d.change(r, change{entry: e, gone: true})
			}
		}
		r.changes = changes
	}
	waiting := r.waiting
	r.waiting, r.awaiting = nil, 0
	for _, n := range waiting {
		if n.first > r.changes+1 {
			return d.behind(r, n.first)
		}
		d.take(r, n)
	}
	return false
}

// failed says that entries that were asked for have not come: the next digest asks again.
func (d *directory) failed(id nodeID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.nodes[id]; r != nil {
		r.syncing = false
	}
}

// silent returns the nodes that were not heard of since an instant.
func (d *directory) silent(since time.Time) (dead []nodeID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, r := range d.nodes {
		if id != d.self && r.heard.Before(since) {
			dead = append(dead, id)
		}
	}
	return dead
}

// excuse moves on when all nodes were heard of last: it was this one that slept.
func (d *directory) excuse(slept time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.nodes {
		r.heard = r.heard.Add(slept)
	}
}
