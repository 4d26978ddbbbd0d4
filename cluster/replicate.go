package cluster

import (
	"encoding/binary"
	"time"
)

const (
	// beat is how often a node says how far it is, and that it lives.
	beat = time.Second
	// missed is after how many beats a node that says nothing is dead.
	missed = 3
	// glances is how often in a beat it is looked for nodes that say nothing.
	glances = 4
	// deltaBytes is the size of a message of changes, about: larger ones are split.
	deltaBytes = 64 << 10
)

func (id nodeID) bytes() []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

// say tells all nodes. What is lost is found out by the next digest.
func (n *Node) say(message []byte) { _ = n.nats.Publish(n.toAll(), message) }

// speak tells the others of changes, as they come, and how far they are, once in a while.
func (n *Node) speak() {
	ticker := time.NewTicker(beat / glances)
	defer ticker.Stop()
	n.tell(true)
	last := time.Now()
	for glance := 1; ; {
		select {
		case <-n.told:
			n.tell(false)
		case <-ticker.C:
			now := time.Now()
			if late := now.Sub(last); late > beat { // it was us who slept: others did not fall silent
				n.directory.excuse(late, now)
			}
			last = now
			if glance++; glance%glances == 0 {
				n.tell(true)
			}
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

// tell tells of all changes, in messages of a bounded size, and then how far this node is, if asked to.
func (n *Node) tell(all bool) {
	n.telling.Lock() // so that messages go out in the order of the changes
	defer n.telling.Unlock()
	d, g := n.directory.takeNews()
	for len(d.changes) > 0 {
		part, size := 0, 0
		for part < len(d.changes) && size < deltaBytes {
			size += d.changes[part].size()
			part++
		}
		n.say((&delta{node: n.id, first: d.first, changes: d.changes[:part]}).append(nil))
		d.first += uint64(part)
		d.changes = d.changes[part:]
	}
	if all {
		n.say(g.append(nil))
	}
}

// forget drops a node. What is passed on to it ends, as it would not be answered.
func (n *Node) forget(id nodeID, why string) {
	if g, known := n.directory.drop(id); known {
		n.opts.Logger.Info("cluster: node gone", "node", g.name, "why", why)
		n.relays.endTo(id)
	}
}

// listen looks at all that comes. It never waits for anybody.
func (n *Node) listen() {
	for {
		select {
		case m := <-n.said:
			n.hear(m.Data)
		case m := <-n.asks:
			n.asked(m)
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
		if d, err := parseDelta(p); err == nil {
			n.directory.changed(d)
			n.settle()
		}
	case kindPosted:
		n.mail.posted(string(p[1:]))
	case kindLease:
		n.strict.heard(p)
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
		n.tell(true) // so that it knows us, too
	}
	if ask {
		n.work.Go(func() { n.sync(g.node) })
	}
}
