package cluster

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// directory is what a node knows of all nodes' entries. Each entry is told by one node alone, the one
// that its session lives at: so what two nodes say never has to be merged, and a directory is a set of
// what each node has said, each in its order.
type directory struct {
	self nodeID

	mu    sync.Mutex // guards all below; a leaf but for those of watchers
	clock uint64     // the largest of any claim
	nodes map[nodeID]*record
	names map[string][]holder             // who claims a name: one but for moments
	rooms map[string]map[memberID]*Member // who is in a room
	at    map[string]map[nodeID]int       // how many of them at which node
	watch map[string]map[*watcher]struct{}
	told  uint64   // changes of our own that were taken to be told
	news  []change // further ones
}

// record is what a node has said.
type record struct {
	digest             // the last one
	heard    time.Time // when
	entries  map[entryID]entry
	changes  uint64  // of its entries, that are in them
	syncing  bool    // they were asked for
	waiting  []delta // those that came behind a gap
	awaiting int     // changes in them
}

// holder is a session that claims a name.
type holder struct {
	node           nodeID
	session, clock uint64
}

// over reports whether a claim wins against another one, everywhere in the same way.
func (h holder) over(other holder) bool {
	return cmp.Or(cmp.Compare(h.clock, other.clock), cmp.Compare(h.node, other.node)) > 0
}

// memberID tells the members of a room apart.
type memberID struct {
	node    nodeID
	session uint64
}

func newDirectory(self nodeID) *directory {
	return &directory{
		self: self, names: map[string][]holder{}, rooms: map[string]map[memberID]*Member{},
		at: map[string]map[nodeID]int{}, watch: map[string]map[*watcher]struct{}{},
		nodes: map[nodeID]*record{self: {digest: digest{node: self}, entries: map[entryID]entry{}}},
	}
}

// own makes or ends an entry of this node. A claim gets its clock here, the largest yet. It reports
// false if that changes nothing.
func (d *directory) own(c change) (made holder, changed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ownLocked(c)
}

func (d *directory) ownLocked(c change) (made holder, changed bool) {
	r := d.nodes[d.self]
	if c.kind == kindName && !c.gone {
		d.clock++
		c.clock = d.clock
	}
	if !d.change(r, c) {
		return holder{}, false
	}
	r.changes++
	d.news = append(d.news, c)
	return holder{d.self, c.session, c.clock}, true
}

// claim makes an entry unless somebody holds the name, who is returned then.
func (d *directory) claim(name string, session uint64) (made holder, held bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if h, held := d.holderLocked(name); held && h != (holder{d.self, session, h.clock}) {
		return h, true
	}
	made, _ = d.ownLocked(change{entry: entry{kind: kindName, key: name, session: session}})
	return made, false
}

// takeNews returns the changes of our own that were not told yet, to be told now.
func (d *directory) takeNews() delta {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := delta{node: d.self, first: d.told + 1, changes: d.news}
	d.told += uint64(len(d.news))
	d.news = nil
	return n
}

// change changes what a node has said, and what follows from that. It reports false if it is nothing
// new. The caller holds mu.
func (d *directory) change(r *record, c change) bool {
	id := c.id()
	old, had := r.entries[id]
	if c.gone && !had || !c.gone && had && old == c.entry {
		return false
	}
	if had {
		delete(r.entries, id)
		d.remove(r, &old)
	}
	if !c.gone {
		r.entries[id] = c.entry
		d.add(r, &c.entry)
	}
	return true
}

func (d *directory) add(r *record, e *entry) {
	d.clock = max(d.clock, e.clock)
	if e.kind == kindName {
		d.names[e.key] = append(d.names[e.key], holder{r.node, e.session, e.clock})
		return
	}
	m := &Member{Room: e.key, Name: e.name, Meta: e.meta, Node: r.name, Session: e.session, at: r.node}
	if d.rooms[e.key] == nil {
		d.rooms[e.key] = map[memberID]*Member{}
	}
	d.rooms[e.key][m.id()] = m
	if d.at[e.key] == nil {
		d.at[e.key] = map[nodeID]int{}
	}
	d.at[e.key][r.node]++
	d.tell(Presence{Joined, *m})
}

func (d *directory) remove(r *record, e *entry) {
	if e.kind == kindName {
		h := slices.DeleteFunc(d.names[e.key], func(h holder) bool { return h == holder{r.node, e.session, e.clock} })
		if d.names[e.key] = h; len(h) == 0 {
			delete(d.names, e.key)
		}
		return
	}
	room, id := d.rooms[e.key], memberID{r.node, e.session}
	m := room[id]
	if delete(room, id); len(room) == 0 {
		delete(d.rooms, e.key)
	}
	at := d.at[e.key]
	if at[r.node]--; at[r.node] == 0 {
		delete(at, r.node)
	}
	if len(at) == 0 {
		delete(d.at, e.key)
	}
	d.tell(Presence{Left, *m})
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

// losers returns those of a record's names, or all, that sessions of this node claim and do not hold.
func (d *directory) losers(changes []change) (lost []entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range changes {
		if c := &changes[i]; c.kind == kindName && !c.gone {
			best, _ := d.holderLocked(c.key)
			for _, h := range d.names[c.key] {
				if h.node == d.self && h != best {
					lost = append(lost, entry{kind: kindName, key: c.key, session: h.session, clock: h.clock})
				}
			}
		}
	}
	return lost
}

// node returns what is known of another node.
func (d *directory) node(id nodeID) (digest, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.nodes[id]
	if r == nil {
		return digest{}, false
	}
	return r.digest, true
}

// others returns all nodes but this one, in the order of their names.
func (d *directory) others() []digest {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []digest
	for id, r := range d.nodes {
		if id != d.self {
			all = append(all, r.digest)
		}
	}
	slices.SortFunc(all, func(a, b digest) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.node, b.node)) })
	return all
}

// drop forgets a node, and all that it has said. It reports false if there is none.
func (d *directory) drop(id nodeID) (digest, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.nodes[id]
	if r == nil || id == d.self {
		return digest{}, false
	}
	delete(d.nodes, id)
	for _, e := range r.entries {
		d.remove(r, &e)
	}
	return r.digest, true
}

// snapshot returns the entries of this node, and how many changes have led to them.
func (d *directory) snapshot() (changes uint64, entries []entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.nodes[d.self]
	return r.changes, slices.Collect(maps.Values(r.entries))
}
