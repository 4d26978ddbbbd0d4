package cluster

import (
	"encoding/binary"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// beat is how often a node says how far it is, and that it lives.
	beat = time.Second
	// missed is after how many beats a node that says nothing is dead.
	missed = 3
	// deltaBytes is the size of a message of changes, about: larger ones are split.
	deltaBytes = 64 << 10
	// syncPatience is how long all entries of a node may take to come.
	syncPatience = 10 * time.Second
)

func (id nodeID) bytes() []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

// say tells all nodes. What is lost is found out by the next digest.
func (n *Node) say(message []byte) { _ = n.nats.Publish(n.toAll(), message) }

// speak tells the others of changes, as they come, and how far they are, once in a while.
func (n *Node) speak() {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	n.digest()
	last := time.Now()
	for {
		select {
		case <-n.told:
			n.tellNews()
		case now := <-ticker.C:
			if late := now.Sub(last) - beat; late > beat { // it was us who slept: others did not fall silent
				n.directory.excuse(late)
			}
			last = now
			n.digest()
			for _, dead := range n.directory.silent(now.Add(-missed * beat)) {
				n.forget(dead, "is silent")
			}
		case <-n.ctx.Done():
			return
		}
	}
}

// news has changes told soon.
func (n *Node) news() {
	select {
	case n.told <- struct{}{}:
	default:
	}
}

// tellNews tells of all changes, in messages of a bounded size.
func (n *Node) tellNews() {
	d := n.directory.takeNews()
	for len(d.changes) > 0 {
		part, size := 0, 0
		for part < len(d.changes) && size < deltaBytes {
			c := &d.changes[part]
			size += len(c.key) + len(c.name) + len(c.meta) + 16
			part++
		}
		n.say((&delta{node: n.id, first: d.first, changes: d.changes[:part]}).append(nil))
		d.first += uint64(part)
		d.changes = d.changes[part:]
	}
}

// digest tells how far this node is.
func (n *Node) digest() {
	g, _ := n.directory.node(n.id)
	g.changes, g.clock = n.directory.progress()
	n.say(g.append(nil))
}

// progress returns how many changes were told, and the largest clock.
func (d *directory) progress() (changes, clock uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.told, d.clock
}

// forget drops a node.
func (n *Node) forget(id nodeID, why string) {
	if g, known := n.directory.drop(id); known {
		n.opts.Logger.Info("cluster: node gone", "node", g.name, "why", why)
	}
}

// listen looks at all that comes, in order. It never waits for anybody.
func (n *Node) listen() {
	all := n.toAll()
	for {
		select {
		case m := <-n.in:
			if m.Subject == all {
				n.hear(m.Data)
			} else {
				n.asked(m)
			}
		case <-n.ctx.Done():
			return
		}
	}
}

// hear takes in what was said to all. What is malformed is not heard.
func (n *Node) hear(p []byte) {
	if len(p) == 0 {
		return
	}
	switch p[0] {
	case kindDigest:
		if g, err := parseDigest(p); err == nil && g.node != n.id {
			n.heardOf(g)
		}
	case kindDelta:
		if d, err := parseDelta(p); err == nil && d.node != n.id {
			ask := n.directory.changed(d)
			n.settleClaims(d.changes)
			if ask {
				n.sync(d.node)
			}
		}
	case kindPosted:
		n.mail.posted(string(p[1:]))
	case kindGone:
		r := reader{p: p[1:]}
		if id := r.node(); !r.bad {
			n.forget(id, "has ended")
		}
	}
}

func (n *Node) heardOf(g digest) {
	isNew, ask := n.directory.heard(g, time.Now())
	if isNew {
		n.opts.Logger.Info("cluster: node found", "node", g.name)
		n.digest() // so that it knows us, too
	}
	if ask {
		n.sync(g.node)
	}
}

// sync asks a node for all its entries.
func (n *Node) sync(id nodeID) {
	n.work.Go(func() {
		changes, entries, err := n.fetch(id)
		if err != nil {
			n.directory.failed(id)
			n.opts.Logger.Debug("cluster: entries of a node have not come", "error", err)
			return
		}
		again := n.directory.synced(id, changes, entries)
		made := make([]change, len(entries))
		for i := range entries {
			made[i].entry = entries[i]
		}
		n.settleClaims(made)
		if again {
			n.sync(id)
		}
	})
}

// fetch gets all entries of a node, which come in several messages of which the last has none.
func (n *Node) fetch(id nodeID) (changes uint64, entries []entry, err error) {
	inbox := nats.NewInbox()
	sub, err := n.nats.SubscribeSync(inbox)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	_ = sub.SetPendingLimits(-1, -1)
	if err = n.nats.PublishRequest(n.to(id, "snapshot"), inbox, nil); err != nil {
		return 0, nil, err
	}
	deadline := time.Now().Add(syncPatience)
	for {
		m, err := sub.NextMsg(time.Until(deadline))
		if err != nil {
			return 0, nil, err
		}
		d, err := parseDelta(m.Data)
		if err != nil {
			return 0, nil, err
		}
		if len(d.changes) == 0 {
			return d.first - 1, entries, nil
		}
		for _, c := range d.changes {
			entries = append(entries, c.entry)
		}
	}
}

// sendSnapshot answers fetch.
func (n *Node) sendSnapshot(to string) {
	changes, entries := n.directory.snapshot()
	d := delta{node: n.id, first: changes + 1}
	size := 0
	for i, e := range entries {
		d.changes = append(d.changes, change{entry: e})
		if size += len(e.key) + len(e.name) + len(e.meta) + 16; size >= deltaBytes || i == len(entries)-1 {
			_ = n.nats.Publish(to, d.append(nil))
			d.changes, size = d.changes[:0], 0
		}
	}
	_ = n.nats.Publish(to, (&delta{node: n.id, first: changes + 1}).append(nil))
}
