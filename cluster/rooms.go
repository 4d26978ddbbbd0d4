package cluster

import (
	"context"
	"fmt"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
)

// Result is what became of a broadcast: at this node's members, and to how many other nodes it went.
type Result struct {
	broadcast.Result
	Nodes int
}

// Join makes a session of this node a member of a room, until it closes or leaves. It reports an error
// for a room that is not UTF-8 of 1 byte to 1 KiB, ErrShutdown, and netasync.ErrClosed for a session that
// has closed.
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
	stop := context.AfterFunc(s.Context(), func() { n.Leave(room, s) })
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		stop()
		return ErrShutdown
	}
	if before := n.joined[e.id()]; before != nil {
		before()
	}
	n.joined[e.id()] = stop
	n.hub.Join(room, s)
	n.directory.own(change{entry: e})
	n.mu.Unlock()
	n.news()
	if s.Context().Err() != nil { // it may have ended before it was there to leave
		n.Leave(room, s)
		return netasync.ErrClosed
	}
	return nil
}

// Leave ends a membership. It reports false if there is none.
func (n *Node) Leave(room string, s *netasync.Session) bool {
	e := entry{kind: kindMember, key: room, session: s.ID()}
	n.mu.Lock()
	stop, there := n.joined[e.id()]
	if there {
		delete(n.joined, e.id())
		n.hub.Leave(room, s)
		n.directory.own(change{entry: e, gone: true})
	}
	n.mu.Unlock()
	if there {
		stop()
		n.news()
	}
	return there
}

// Broadcast sends a message to all members of a room: once to each node that has some, and there to each
// of them, as package broadcast does, with Slow: Drop. It waits for nobody. What is broadcast by one node
// comes in one order to all members everywhere; between nodes there is no order. A node that is cut off
// misses what is broadcast meanwhile. The payload belongs to the node from now on.
func (n *Node) Broadcast(room string, payload []byte) (r Result) {
	n.speech.Lock() // what goes out in one order comes in that order here, too
	defer n.speech.Unlock()
	nodes := n.directory.nodesOf(room)
	if len(nodes) > 0 {
		message := append(appendText(nil, room), payload...)
		for _, id := range nodes {
			if n.nats.Publish(n.to(id, "room"), message) == nil {
				r.Nodes++
			}
		}
	}
	r.Result = n.hub.Send(room, payload)
	return r
}

// nodesOf returns the other nodes that have members of a room.
func (d *directory) nodesOf(room string) (nodes []nodeID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.at[room] {
		if id != d.self {
			nodes = append(nodes, id)
		}
	}
	return nodes
}
