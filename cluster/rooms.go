package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
)

// Result is what became of a broadcast: at this node's members, and to how many other nodes with members it
// went.
type Result struct {
	broadcast.Result
	Nodes int
	// Missed are the names of nodes with members that it did not go to, and Err is why, of one of them: it
	// wraps netasync.ErrFrameTooLarge for a payload that is larger than what NATS takes, which is 8 MiB unless
	// the servers are the user's, less the name of the room. Without another node Err is nil whatever the
	// payload, and it is ErrShutdown if the node has ended. Whether a node has got what went to it is not
	// known.
	Missed []string
	Err    error
}

// Join makes a session of this node a member of a room, until it closes or leaves. It reports an error
// for a room that is not UTF-8 of 1 byte to 1 KiB, ErrFull, ErrShutdown, and netasync.ErrClosed for a
// session that has closed.
func (n *Node) Join(room string, s *netasync.Session) error { return n.JoinAs(room, s, "", "") }

// JoinAs is Join with a name and some data, at most 4 KiB, which others see in [Member]. A member that
// joins again changes them.
func (n *Node) JoinAs(room string, s *netasync.Session, name, meta string) error {
	if err := checkName(room); err != nil {
		return err
	}
	if len(name) > maxText || len(meta) > maxMeta {
		return fmt.Errorf("cluster: name and meta have %d and %d bytes, want %d and %d at most",
			len(name), len(meta), maxText, maxMeta)
	}
	e := entry{kind: kindMember, key: room, session: s.ID(), name: name, meta: meta}
	m := &membership{session: s}
	m.stop = context.AfterFunc(s.Context(), func() { n.Leave(room, s) })
	before, err := n.addMembership(e, m)
	if err != nil {
		m.stop()
		return err
	}
	if before != nil {
		before.stop()
	}
	n.news()
	if s.Context().Err() != nil { // it may have ended before it was there to leave
		n.Leave(room, s)
		return netasync.ErrClosed
	}
	return nil
}

// membership is of a session of this node in a room.
type membership struct {
	session *netasync.Session
	stop    func() bool // no longer waits for the session's end
}

// addMembership puts a membership into all that knows of it, and returns the one that it replaces.
func (n *Node) addMembership(e entry, m *membership) (before *membership, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, ErrShutdown
	}
	if n.directory.full() {
		return nil, ErrFull
	}
	before = n.joined[e.id()]
	n.joined[e.id()] = m
	n.hub.Join(e.key, m.session)
	n.directory.own(change{entry: e})
	return before, nil
}

// endMembership takes one out again. The caller holds mu.
func (n *Node) endMembership(id entryID, m *membership) {
	delete(n.joined, id)
	n.hub.Leave(id.key, m.session)
	n.directory.own(change{entry: entry{kind: kindMember, key: id.key, session: id.session}, gone: true})
}

// Leave ends a membership. It reports false if there is none.
func (n *Node) Leave(room string, s *netasync.Session) bool {
	id := entryID{kindMember, room, s.ID()}
	n.mu.Lock()
	m := n.joined[id]
	if m != nil {
		n.endMembership(id, m)
	}
	n.mu.Unlock()
	if m == nil {
		return false
	}
	m.stop()
	n.news()
	return true
}

// Broadcast sends a message to all members of a room: once to each node that has some, and there to each
// of them, as package broadcast does, with Slow: Drop. It waits for nobody. What is broadcast by one node
// comes in one order to all members everywhere; between nodes there is no order. A node that is cut off
// misses what is broadcast meanwhile. The payload belongs to the node from now on.
func (n *Node) Broadcast(room string, payload []byte) (r Result) {
	n.speech.Lock() // what goes out in one order comes in that order here, too
	defer n.speech.Unlock()
	if n.ctx.Err() != nil {
		r.Err = ErrShutdown
		return r
	}
	nodes := n.directory.nodesOf(room)
	if len(nodes) > 0 {
		message := append(appendText(nil, room), payload...)
		for _, g := range nodes {
			err := n.nats.Publish(n.to(g.node, "room"), message)
			if err == nil {
				r.Nodes++
				continue
			}
			r.Missed = append(r.Missed, g.name)
			if r.Err = fmt.Errorf("cluster: %w", err); errors.Is(err, nats.ErrMaxPayload) {
				r.Err = fmt.Errorf("%w: %w", netasync.ErrFrameTooLarge, err)
			}
		}
	}
	r.Result = n.hub.Send(room, payload)
	return r
}

// nodesOf returns the other nodes that have members of a room.
func (d *directory) nodesOf(room string) (nodes []digest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.at[room] {
		if id != d.self {
			nodes = append(nodes, d.nodes[id].digest)
		}
	}
	return nodes
}
