package cluster

import "time"

// This is how a directory takes in what other nodes say: changes in their order, and where some are
// missing, all entries anew. A node's digest says how many changes there were, and what the entries add
// up to: whatever went wrong before, a lost message or a mistake, is found by it and mended.

const (
	// maxWaiting is how many bytes of changes may wait for those before them, of each node. Beyond it they
	// are dropped, as if they were lost.
	maxWaiting = 4 << 20
	// maxEntries is how many bytes of entries a node may have.
	maxEntries = 128 << 20
	// maxNodes is how many nodes are known at most.
	maxNodes = 1 << 10
)

// heard takes in a digest. It reports whether the node is a new one, and whether its entries are to be
// asked for. Digests alone cause that, so it is asked once a second at most.
func (d *directory) heard(g digest, now time.Time) (isNew, ask bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if g.node == d.self {
		return false, false
	}
	r := d.nodes[g.node]
	if r == nil {
		if len(d.nodes) > maxNodes {
			return false, false
		}
		r = newRecord(g.node)
		d.nodes[g.node] = r
		isNew = true
	}
	r.digest, r.heard = g, now
	d.learn(g.clock)
	if r.changes > g.changes || r.changes == g.changes && r.sum != g.sum {
		r.doubted = true
	}
	if r.syncing || r.changes >= g.changes && !r.doubted {
		return isNew, false
	}
	r.syncing = true
	return isNew, true
}

// changed takes in changes of a node that is known.
func (d *directory) changed(n delta) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.nodes[n.node]
	if r == nil || n.node == d.self || len(n.changes) == 0 {
		return // its digest comes first
	}
	if n.first <= r.changes+1 && !r.doubted {
		d.take(r, n)
		return
	}
	if r.awaiting += n.size(); r.awaiting > maxWaiting {
		r.waiting, r.awaiting = nil, 0
		return
	}
	r.waiting = append(r.waiting, n)
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
// meanwhile. What waits behind another gap is dropped: the next digest shows it.
func (d *directory) synced(id nodeID, changes uint64, entries []entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.nodes[id]
	if r == nil || id == d.self {
		return
	}
	r.syncing = false
	if r.doubted || changes > r.changes {
		d.replace(r, changes, entries)
	}
	waiting := r.waiting
	r.waiting, r.awaiting = nil, 0
	for _, n := range waiting {
		if n.first <= r.changes+1 {
			d.take(r, n)
		}
	}
}

// replace makes a node's entries these.
func (d *directory) replace(r *record, changes uint64, entries []entry) {
	d.syncs++
	there := make(map[entryID]struct{}, len(entries))
	for i := range entries {
		there[entries[i].id()] = struct{}{}
	}
	for id, e := range r.entries {
		if _, is := there[id]; !is {
			d.change(r, change{entry: e, gone: true})
		}
	}
	for i := range entries {
		d.change(r, change{entry: entries[i]})
	}
	r.changes, r.doubted = changes, false
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

// excuse moves on when all nodes were heard of last: it was this one that slept. None was heard later
// than now.
func (d *directory) excuse(slept time.Duration, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.nodes {
		if r.heard = r.heard.Add(slept); r.heard.After(now) {
			r.heard = now
		}
	}
}
