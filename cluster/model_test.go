package cluster

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The model: directories that are told of each other over a network that loses, repeats, reorders and
// delays messages, and is cut in two; nodes that stop, die and start anew. There are no goroutines, and
// the time is a number. All that Node does to a directory is done here in the same order.

// world is the network and its nodes.
type world struct {
	t      *testing.T
	random *rand.Rand
	now    time.Time
	nextID nodeID
	nodes  []*modelNode
	flying []flight
	bad    bool // the network loses, repeats and reorders
}

type modelNode struct {
	*directory
	side    int  // of a cut
	stopped bool // hears and says nothing, but will
}

type flight struct {
	to      *modelNode
	from    *modelNode
	message []byte
	pages   [][]byte // of a snapshot, instead
}

func newWorld(t *testing.T, seed uint64, count int) *world {
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 0)), now: time.Unix(1_000_000, 0), nextID: 1}
	for range count {
		w.nodes = append(w.nodes, w.birth())
	}
	return w
}

func (w *world) birth() *modelNode {
	n := &modelNode{directory: newDirectory(w.nextID)}
	n.nodes[w.nextID].name = fmt.Sprint("node ", w.nextID)
	w.nextID++
	return n
}

// post puts a message on its way, or not.
func (w *world) post(f flight) {
	if w.bad && w.random.IntN(5) == 0 {
		return
	}
	w.flying = append(w.flying, f)
	if w.bad && w.random.IntN(10) == 0 {
		w.flying = append(w.flying, f)
	}
}

// tell is Node.tell.
func (w *world) tell(n *modelNode, digest bool) {
	news, g := n.takeNews()
	var messages [][]byte
	for i := range news.changes { // one at a time: more to lose
		d := delta{node: n.self, first: news.first + uint64(i), changes: news.changes[i : i+1]}
		messages = append(messages, d.append(nil))
	}
	if digest {
		messages = append(messages, g.append(nil))
	}
	for _, m := range messages {
		for _, to := range w.nodes {
			if to != n {
				w.post(flight{to: to, from: n, message: m})
			}
		}
	}
}

// deliver has one message arrive, or all.
func (w *world) deliver(all bool) {
	for len(w.flying) > 0 {
		i := 0
		if w.bad {
			i = w.random.IntN(min(len(w.flying), 8))
		}
		f := w.flying[i]
		w.flying = slices.Delete(w.flying, i, i+1)
		if f.to.side == f.from.side && !f.to.stopped && slices.Contains(w.nodes, f.to) {
			w.arrive(f)
		}
		if !all {
			return
		}
	}
}

func (w *world) arrive(f flight) {
	switch {
	case f.pages != nil:
		w.arrivePages(f)
	case f.message[0] == kindDelta:
		d, err := parseDelta(f.message)
		require.NoError(w.t, err)
		f.to.changed(d)
	case f.message[0] == kindDigest:
		g, err := parseDigest(f.message)
		require.NoError(w.t, err)
		if _, ask := f.to.heard(g, w.now); ask {
			w.ask(f)
		}
	}
	w.settle(f.to)
}

// ask is Node.fetch: the answer is under way while other messages come.
func (w *world) ask(f flight) {
	changes, entries := f.from.snapshot()
	pages := paged(f.from.self, changes, entries)
	if w.bad && w.random.IntN(4) == 0 || f.from.stopped {
		f.to.failed(f.from.self)
		return
	}
	w.flying = append(w.flying, flight{to: f.to, from: f.from, pages: pages})
}

func (w *world) arrivePages(f flight) {
	if w.bad && w.random.IntN(4) == 0 { // a part is lost
		i := w.random.IntN(len(f.pages))
		f.pages = slices.Delete(slices.Clone(f.pages), i, i+1)
	}
	all := pages{node: f.from.self}
	for _, m := range f.pages {
		if last, err := all.add(m); err != nil || last {
			if err == nil {
				f.to.synced(f.from.self, all.changes, all.entries)
				return
			}
			break
		}
	}
	f.to.failed(f.from.self)
}

// settle is Node.settle: sessions that have lost a name release it.
func (w *world) settle(n *modelNode) {
	for _, id := range n.losers() {
		n.own(change{entry: entry{kind: id.kind, key: id.key, session: id.session}, gone: true})
	}
}

// act has a node's sessions do something.
func (w *world) act(n *modelNode) {
	key, session := fmt.Sprint("key ", w.random.IntN(12)), uint64(w.random.IntN(5))
	switch w.random.IntN(6) {
	case 0, 1:
		n.claim(key, session, w.random.IntN(3) == 0, w.now)
	case 2:
		n.own(change{entry: entry{kind: kindName, key: key, session: session}, gone: true})
	case 3, 4:
		n.own(change{entry: entry{kind: kindMember, key: key, session: session, meta: fmt.Sprint(w.random.IntN(3))}})
	case 5:
		n.own(change{entry: entry{kind: kindMember, key: key, session: session}, gone: true})
	}
	w.settle(n)
}

// beat is a second.
func (w *world) beat() {
	w.now = w.now.Add(beat)
	for _, n := range w.nodes {
		if n.stopped {
			continue
		}
		for _, dead := range n.silent(w.now.Add(-missed * beat)) {
			n.drop(dead)
		}
		w.tell(n, true)
	}
}

// fault has something go wrong, or come back.
func (w *world) fault() {
	i := w.random.IntN(len(w.nodes))
	switch n := w.nodes[i]; w.random.IntN(12) {
	case 0:
		n.stopped = true
	case 1:
		n.stopped = false
	case 2:
		n.side = 1 - n.side
	case 3:
		w.nodes[i] = w.birth()
	default: // a mistake: it says something about another one
		other := w.nodes[w.random.IntN(len(w.nodes))]
		c := change{entry: entry{kind: kindName, key: "key 1", session: 77, clock: 5}}
		n.changed(delta{node: other.self, first: other.nodes[other.self].changes + 1, changes: []change{c}})
	}
}

// check compares all directories, and their indexes with what records say.
func (w *world) check(seed uint64) {
	for _, n := range w.nodes {
		require.Len(w.t, n.nodes, len(w.nodes), "seed %d: each knows all", seed)
		for _, other := range w.nodes {
			require.Equal(w.t, other.nodes[other.self].entries, n.nodes[other.self].entries,
				"seed %d: what %d knows of %d", seed, n.self, other.self)
		}
		checkIndexes(w.t, n.directory)
		for name, holders := range n.names {
			require.Len(w.t, holders, 1, "seed %d: %s", seed, name)
		}
	}
}

// checkIndexes compares what a directory finds with what it is made of.
func checkIndexes(t *testing.T, d *directory) {
	t.Helper()
	fresh := newDirectory(d.self)
	fresh.nodes[d.self].digest = d.nodes[d.self].digest
	for id, r := range d.nodes {
		if id != d.self {
			fresh.heard(r.digest, time.Time{})
		}
		for _, e := range r.entries {
			fresh.change(fresh.nodes[id], change{entry: e})
		}
		require.Equal(t, fresh.nodes[id].sum, r.sum)
		require.Equal(t, fresh.nodes[id].bytes, r.bytes)
		require.Equal(t, fresh.nodes[id].names, r.names)
	}
	require.Equal(t, slices.Sorted(maps.Keys(fresh.names)), slices.Sorted(maps.Keys(d.names)))
	for name, holders := range fresh.names {
		require.ElementsMatch(t, holders, d.names[name])
	}
	require.Equal(t, fresh.at, d.at)
	require.Equal(t, slices.Sorted(maps.Keys(fresh.rooms)), slices.Sorted(maps.Keys(d.rooms)))
	for room, members := range fresh.rooms {
		require.Equal(t, members, d.rooms[room])
	}
}

// Whatever has happened, all nodes know the same some seconds after it is over.
func TestDirectoriesAgree(t *testing.T) {
	syncs := uint64(0)
	for seed := range uint64(150) {
		w := newWorld(t, seed, 4)
		for range 400 {
			w.bad = seed%3 > 0
			n := w.nodes[w.random.IntN(len(w.nodes))]
			switch w.random.IntN(12) {
			case 0:
				w.beat()
			case 1:
				if w.random.IntN(3) == 0 {
					w.fault()
				}
			case 2, 3, 4:
				w.act(n)
			case 5, 6:
				if !n.stopped {
					w.tell(n, false)
				}
			default:
				for range 12 {
					w.deliver(false)
				}
			}
		}
		w.bad = false
		for _, n := range w.nodes {
			n.side, n.stopped = 0, false
		}
		for range missed + 4 {
			w.beat()
			w.deliver(true)
		}
		w.check(seed)
		syncs += w.nodes[0].syncs
	}
	require.NotZero(t, syncs)
}
