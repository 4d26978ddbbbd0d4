package cluster

import (
	"cmp"
	"context"
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
	clock uint64     // the largest of any claim, see tick
	nodes map[nodeID]*record
	names map[string][]holder             // who claims a name: one but for moments
	rooms map[string]map[memberID]*Member // who is in a room
	at    map[string]map[nodeID]int       // how many of them at which node
	watch map[string]map[*watcher]struct{}
	news  []change // of our own, to be told

	contested []string // names that got a second claim, and one of them is of this node
	scratch   []byte   // of sums
	syncs     uint64   // how often all entries of a node were taken in anew
}

// record is what a node has said.
type record struct {
	digest             // the last one
	heard    time.Time // when
	entries  map[entryID]entry
	changes  uint64  // of its entries, that are in them
	sum      uint64  // of the entries
	bytes    int     // of the entries
	names    int     // among the entries
	syncing  bool    // all entries were asked for
	doubted  bool    // they are not what the node has: all are needed, whatever changes says
	waiting  []delta // those that came behind a gap, or in doubt
	awaiting int     // bytes of them

	ended context.Context // ends when the node is forgotten, by end
	end   context.CancelFunc
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
		nodes: map[nodeID]*record{self: newRecord(self)},
	}
}

func newRecord(id nodeID) *record {
	r := &record{digest: digest{node: id}, entries: map[entryID]entry{}}
	r.ended, r.end = context.WithCancel(context.Background())
	return r
}

// own makes or ends an entry of this node. It reports false if that changes nothing.
func (d *directory) own(c change) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ownLocked(c)
}

func (d *directory) ownLocked(c change) bool {
	r := d.nodes[d.self]
	if !d.change(r, c) {
		return false
	}
	r.changes++
	d.news = append(d.news, c)
	return true
}

// full reports whether this node has so many entries that others may not take in all of them.
func (d *directory) full() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.nodes[d.self].bytes > maxEntries
}

// takeNews returns the changes of our own that were not told yet, to be told now, and what we are then.
func (d *directory) takeNews() (news delta, then digest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.nodes[d.self]
	news = delta{node: d.self, first: r.changes + 1 - uint64(len(d.news)), changes: d.news}
	d.news = nil
	then = r.digest
	then.changes, then.sum, then.clock = r.changes, r.sum, d.clock
	return news, then
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
		r.count(&old, -1)
		r.sum -= d.sumOf(&old)
		d.remove(r, &old)
	}
	if !c.gone && r.bytes+c.size() <= 2*maxEntries { // a node that has more is a liar
		r.entries[id] = c.entry
		r.count(&c.entry, 1)
		r.sum += d.sumOf(&c.entry)
		d.add(r, &c.entry)
	}
	return true
}

func (r *record) count(e *entry, by int) {
	r.bytes += by * e.size()
	if e.kind == kindName {
		r.names += by
	}
}

func (d *directory) sumOf(e *entry) (sum uint64) {
	sum, d.scratch = e.sum(d.scratch[:0])
	return sum
}

func (d *directory) add(r *record, e *entry) {
	d.learn(e.clock)
	if e.kind == kindName {
		holders := append(d.names[e.key], holder{r.node, e.session, e.clock})
		d.names[e.key] = holders
		if len(holders) > 1 && slices.ContainsFunc(holders, func(h holder) bool { return h.node == d.self }) {
			d.contested = append(d.contested, e.key)
		}
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
	r.end()
	for _, e := range r.entries {
		d.remove(r, &e)
	}
	return r.digest, true
}

// ended returns a context that ends when a node is forgotten; nil: it is not known.
func (d *directory) ended(id nodeID) context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.nodes[id]; r != nil {
		return r.ended
	}
	return nil
}

// snapshot returns the entries of this node, and how many changes have led to them.
func (d *directory) snapshot() (changes uint64, entries []entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.nodes[d.self]
	return r.changes, slices.Collect(maps.Values(r.entries))
}
