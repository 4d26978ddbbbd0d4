package cluster

import (
	"errors"

	"github.com/nats-io/nats.go"
)

// Stats are figures of a node. Those without "now" grow from its start.
type Stats struct {
	Nodes      int    // others that live, now
	Names      int    // that stand for a session, on all nodes, now
	OwnNames   int    // of them, claims of this node
	Members    int    // of rooms, on all nodes, now
	OwnMembers int    // of them, of this node
	Relaying   int    // connections that are passed on to other nodes, now
	Relayed    uint64 // connections that were passed on to other nodes
	Links      int    // to other nodes, for their names' RemoteSessions here, now
	LinksIn    int    // of other nodes to this one, now
	Streams    int    // names at other nodes that are sent to by links, now
	StreamsIn  int    // sessions of this node that are sent to by links, now
	Dropped    uint64 // messages of other nodes for which there was no room
	Syncs      uint64 // how often all entries of a node were taken in, which is so when one is found
	Connected  bool   // to NATS, now
}

// Stats returns the figures as they are now.
func (n *Node) Stats() Stats {
	s := n.directory.stats()
	n.relays.stats(&s)
	n.links.stats(&s)
	for _, sub := range n.subs {
		if dropped, err := sub.Dropped(); err == nil {
			s.Dropped += uint64(max(dropped, 0))
		}
	}
	s.Connected = n.nats.Status() == nats.CONNECTED
	return s
}

// ErrNotConnected is that a node has no connection to NATS.
var ErrNotConnected = errors.New("cluster: no connection to NATS")

// Health returns nil while the node can speak to others: ErrShutdown from the beginning of Shutdown on,
// and ErrNotConnected without a connection to NATS. That there are other nodes it does not say.
func (n *Node) Health() error {
	n.mu.Lock()
	closed := n.closed
	n.mu.Unlock()
	switch {
	case closed:
		return ErrShutdown
	case n.nats.Status() != nats.CONNECTED:
		return ErrNotConnected
	}
	return nil
}

func (d *directory) stats() (s Stats) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Nodes, s.Names, s.Syncs = len(d.nodes)-1, len(d.names), d.syncs
	for _, room := range d.rooms {
		s.Members += len(room)
	}
	own := d.nodes[d.self]
	s.OwnNames, s.OwnMembers = own.names, len(own.entries)-own.names
	return s
}

// count returns how many entries of a node are known.
func (d *directory) count(id nodeID) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.nodes[id]; r != nil {
		return uint64(len(r.entries))
	}
	return 0
}
