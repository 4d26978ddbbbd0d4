package cluster

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
)

// ErrShutdown is returned by a node that has ended.
var ErrShutdown = errors.New("cluster: shut down")

// Node is a process among those of a cluster. It is safe for concurrent use, and ends by Shutdown.
type Node struct {
	opts      Options
	id        nodeID
	engine    *netasync.Engine
	server    *server.Server // nil: the user's
	nats      *nats.Conn
	subs      []*nats.Subscription
	directory *directory
	hub       *broadcast.Hub // of rooms, members of this node
	tls       *tls.Config    // between nodes; nil: none
	relayPort net.Listener   // nil: none
	relays    relays
	strangers strangers
	links     links
	mail      *mailroom // nil: there are no mailboxes
	strict    *strict   // nil: names are not
	unlock    func()    // gives Dir back; nil: there is none

	ctx    context.Context // ends with the node
	cancel context.CancelFunc
	work   sync.WaitGroup
	said   chan *nats.Msg // to all
	asks   chan *nats.Msg // to this node
	told   chan struct{}  // there is news of our own; one slot

	telling sync.Mutex   // held while what is news is sent
	speech  sync.Mutex   // of Broadcast; held while the hub sends, which waits for nobody
	answers atomic.Int64 // to other nodes' sync, under way

	redirected atomic.Uint64 // peers that were told to go to another node

	mu     sync.Mutex // guards all below, and that hub and directory have the same members
	closed bool
	claims map[entryID]*Claim
	doors  []*netasync.Listener // by their numbers in tokens
	joined map[entryID]*membership
}

// inbound is how many messages of other nodes wait until they are looked at, which takes microseconds.
// What is too many is dropped, and counted by Stats.
const inbound = 1 << 13

// Start starts a node, and returns when its server has begun. Other nodes come to be known meanwhile.
func Start(o Options) (*Node, error) {
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // it does not fail
	n := &Node{
		opts: o, id: nodeID(binary.BigEndian.Uint64(random[:])), engine: o.Engine, nats: o.NATS,
		hub: broadcast.NewHub(broadcast.Options{}), relays: relays{most: o.MaxRelayed},
		said: make(chan *nats.Msg, inbound), asks: make(chan *nats.Msg, inbound),
		told: make(chan struct{}, 1), claims: map[entryID]*Claim{}, joined: map[entryID]*membership{},
	}
	n.directory = newDirectory(n.id)
	n.directory.nodes[n.id].name, n.directory.nodes[n.id].advertise = o.Name, o.Advertise
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if err = n.connect(); err != nil {
		n.cancel()
		n.disconnect()
		return nil, err
	}
	n.work.Go(n.listen)
	n.work.Go(n.speak)
	if n.mail != nil {
		n.work.Go(n.mail.tend)
	}
	if n.strict != nil {
		n.work.Go(n.strict.keep)
		n.work.Go(n.strict.guard)
		n.work.Go(n.strict.sweep)
		n.work.Go(n.strict.tend)
	}
	return n, nil
}

// connect opens the ports, begins the server if it is embedded, and subscribes.
func (n *Node) connect() (err error) {
	if n.tls, err = n.opts.tlsOf(); err != nil {
		return err
	}
	if n.opts.Relay != "" {
		if n.relayPort, err = net.Listen("tcp", n.opts.Relay); err != nil {
			return fmt.Errorf("cluster: Relay: %w", err)
		}
		n.directory.nodes[n.id].relay = n.relayPort.Addr().String()
	}
	if n.nats == nil {
		name := n.id.String()
		if n.opts.Dir != "" {
			if name, n.unlock, err = openDir(&n.opts); err != nil {
				return err
			}
		}
		if n.server, n.nats, err = embed(&n.opts, name, n.tls); err != nil {
			return err
		}
	}
	if n.opts.Mailboxes {
		n.mail = newMailroom(n)
	}
	if n.opts.Strict {
		n.strict = newStrict(n)
	}
	if err = n.subscribe(); err != nil {
		return err
	}
	if err = n.links.open(n); err != nil {
		return err
	}
	if n.relayPort != nil {
		n.work.Go(n.takeIn)
	}
	return nil
}

// begin counts work that Shutdown waits for, unless the node has ended.
func (n *Node) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.work.Add(1)
	}
	return !n.closed
}

// subscribe asks for all that this node is told. There is one subscription for all its names.
func (n *Node) subscribe() error {
	subjects := map[string]chan *nats.Msg{n.toAll(): n.said, n.to(n.id, ">"): n.asks}
	if n.strict != nil {
		subjects[n.strict.stream.leases()+"*"] = n.said
	}
	for subject, to := range subjects {
		sub, err := n.nats.ChanSubscribe(subject, to)
		if err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
		n.subs = append(n.subs, sub)
	}
	if n.server == nil { // the user's may not be there yet
		return nil
	}
	return n.nats.FlushTimeout(startPatience)
}

// toAll is the subject of what is for all nodes.
func (n *Node) toAll() string { return "netasync." + n.opts.Cluster + ".all" }

// to is the subject of what is for one node.
func (n *Node) to(id nodeID, what string) string {
	return "netasync." + n.opts.Cluster + ".n." + id.String() + "." + what
}

// Name returns the node's name.
func (n *Node) Name() string { return n.opts.Name }

// Addr returns the address at which other nodes connect. It is empty without Listen.
func (n *Node) Addr() string {
	if n.server == nil || n.opts.Listen == "" {
		return ""
	}
	return n.server.ClusterAddr().String()
}

// NodeInfo is a node of the cluster.
type NodeInfo struct {
	Name    string
	Entries uint64 // its names and memberships, as far as they are known here
}

// Nodes returns the other nodes that are known to live, in the order of their names.
func (n *Node) Nodes() []NodeInfo {
	var all []NodeInfo
	for _, g := range n.directory.others() {
		all = append(all, NodeInfo{g.name, n.directory.count(g.node)})
	}
	return all
}
