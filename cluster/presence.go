package cluster

import (
	"container/list"
	"context"
	"fmt"
	"iter"
	"sync"
)

// Member is a session in a room, wherever it lives.
type Member struct {
	Room string
	Name string // that it has joined by, see [Node.JoinAs]; may be empty
	Meta string // that it has brought
	Node string // the name of its node
	// Session is its ID there.
	Session uint64

	at nodeID
}

func (m *Member) id() memberID { return memberID{m.at, m.Session} }

// PresenceKind says what became of a member.
type PresenceKind uint8

// The kinds.
const (
	Joined PresenceKind = iota + 1
	Left
)

// String returns the kind's name in lower case.
func (k PresenceKind) String() string {
	switch k {
	case Joined:
		return "joined"
	case Left:
		return "left"
	}
	return fmt.Sprintf("PresenceKind(%d)", uint8(k))
}

// Presence is what a watcher of a room is told.
type Presence struct {
	Kind PresenceKind
	Member
}

// Members returns who is in a room, on all nodes, in no order, as this node knows it: it asks nobody.
func (n *Node) Members(room string) iter.Seq[Member] {
	d := n.directory
	d.mu.Lock()
	members := make([]Member, 0, len(d.rooms[room]))
	for _, m := range d.rooms[room] {
		members = append(members, *m)
	}
	d.mu.Unlock()
	return func(yield func(Member) bool) {
		for _, m := range members {
			if !yield(m) {
				return
			}
		}
	}
}

// Watch returns a channel of who joins and leaves a room, beginning with those who are there, as joined.
// It is closed when ctx or the node ends. Who does not read misses nothing that still holds: what waits is
// one thing for each member, the last one. So a member that has joined and left meanwhile is not told of,
// and one that has joined again with another name or meta is told of once more, as joined.
func (n *Node) Watch(ctx context.Context, room string) <-chan Presence {
	out := make(chan Presence)
	w := &watcher{ready: make(chan struct{}, 1), last: map[memberID]Presence{}, told: map[memberID]Member{}}
	if !n.begin() {
		close(out)
		return out
	}
	d := n.directory
	d.mu.Lock()
	if d.watch[room] == nil {
		d.watch[room] = map[*watcher]struct{}{}
	}
	d.watch[room][w] = struct{}{}
	for _, m := range d.rooms[room] {
		w.add(Presence{Joined, *m})
	}
	d.mu.Unlock()
	go func() {
		defer n.work.Done()
		defer close(out)
		defer d.unwatch(room, w)
		w.run(ctx, n.ctx, out)
	}()
	return out
}

func (d *directory) unwatch(room string, w *watcher) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if delete(d.watch[room], w); len(d.watch[room]) == 0 {
		delete(d.watch, room)
	}
}

// tell tells those who watch. The caller holds mu.
func (d *directory) tell(p Presence) {
	for w := range d.watch[p.Room] {
		w.add(p)
	}
}

// watcher is one call of Watch.
type watcher struct {
	ready chan struct{} // something waits

	mu    sync.Mutex            // guards all below; a leaf
	order list.List             // of memberID, of whom something is to be told
	last  map[memberID]Presence // of each of them, the last
	told  map[memberID]Member   // who is there, for all that the reader knows
}

// add has somebody told.
func (w *watcher) add(p Presence) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, waits := w.last[p.id()]; !waits {
		w.order.PushBack(p.id())
	}
	w.last[p.id()] = p
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// next returns what is to be told next: what has changed since the reader was told last.
func (w *watcher) next() (p Presence, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for first := w.order.Front(); first != nil; first = w.order.Front() {
		id := w.order.Remove(first).(memberID)
		p = w.last[id]
		delete(w.last, id)
		before, was := w.told[id]
		switch {
		case p.Kind == Joined && (!was || before != p.Member):
			w.told[id] = p.Member
			return p, true
		case p.Kind == Left && was:
			delete(w.told, id)
			return Presence{Left, before}, true
		}
	}
	return p, false
}

// run tells until one of the contexts ends.
func (w *watcher) run(ctx, node context.Context, out chan<- Presence) {
	for {
		p, ok := w.next()
		to, ready := out, w.ready
		if ok {
			ready = nil
		} else {
			to = nil
		}
		select {
		case to <- p:
		case <-ready:
		case <-ctx.Done():
			return
		case <-node.Done():
			return
		}
	}
}
