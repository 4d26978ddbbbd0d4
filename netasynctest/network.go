package netasynctest

import (
	"context"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/engine"
)

// Network is a network in memory. Its engines' names are its hosts: what Engine("server", …) listens
// on, as ":1" or "server:1", others reach as "server:1". What goes wrong between two of them is said
// to a [Link]. In a bubble of testing/synctest all of its times are of the bubble's clock; make it
// inside. It ends with the test: so do its engines, at once and without flushing, and connections
// of any other owner are reset. It is safe for concurrent use.
type Network struct {
	t testing.TB

	// mu guards all below, and all of the lanes, streams and listeners. It is a leaf, and held while
	// a few bytes are copied at the most. Who waits does so at a sync.Cond, which no bubble owns.
	mu        sync.Mutex
	changed   sync.Cond // dials wait for it: a link, a refusal, the end of a context or of all
	hosts     map[string]bool
	refusals  map[string]error
	listeners map[Addr]*listener
	lanes     map[lane2]*lane
	ports     int // chosen so far
	random    *rand.Rand
	ended     bool
}

// lane2 names a lane: the hosts of both ends, the sending one first.
type lane2 struct{ from, to string }

// NewNetwork returns a network that ends with the test. Its jitter is the same in every run.
func NewNetwork(t testing.TB) *Network {
	n := &Network{
		t:         t,
		hosts:     make(map[string]bool),
		refusals:  make(map[string]error),
		listeners: make(map[Addr]*listener),
		lanes:     make(map[lane2]*lane),
		random:    rand.New(rand.NewPCG(1, 2)),
	}
	n.changed.L = &n.mu
	t.Cleanup(func() { n.end(); settle() })
	return n
}

// Engine returns an engine that is a host of the network, and otherwise like any other: its Connect
// and Listen find each other here, without any option. Bad options fail the test. Two engines may
// have the same name, as when a server is shut down and started again.
func (n *Network) Engine(name string, o netasync.EngineOptions) *netasync.Engine {
	n.t.Helper()
	listen := func(_ context.Context, network, address string) (net.Listener, error) {
		return n.listen(name, network, address)
	}
	e, err := engine.NewEngineOn(o, n.Dialer(name), listen)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { abort(e) })
	return e
}

// abort ends an engine without flushing. The test is over, so nobody is left to hear why.
func abort(e *netasync.Engine) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = e.Shutdown(ctx)
}

// Listen listens on a host, for a server that is no engine of the network's: for Engine.Serve, or to
// be spoken to byte by byte. Port 0 chooses a free one. What nobody accepts waits, without a bound.
func (n *Network) Listen(host, address string) (net.Listener, error) {
	n.t.Helper()
	n.addHost(host)
	return n.listen(host, "tcp", address)
}

func (n *Network) listen(host, network, address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a, err := n.bind(host, network, address)
	if err == nil && n.ended {
		err = net.ErrClosed
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: Addr{network, host, address}, Err: err}
	}
	l := &listener{n: n, addr: a, ready: sync.Cond{L: &n.mu}}
	n.listeners[a] = l
	return l, nil
}

// Refuse makes all dials to a host fail with an error, at once, from now on; nil lifts that. Connections
// that it has go on.
func (n *Network) Refuse(host string, err error) {
	n.t.Helper()
	n.mustKnow(host)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refusals[host] = err
	n.changed.Broadcast()
}

// addHost makes a host known.
func (n *Network) addHost(name string) {
	n.t.Helper()
	if name == "" || name == "localhost" || strings.ContainsAny(name, ":/[]") {
		n.t.Fatalf("netasynctest: %q cannot be the name of a host", name)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[name] = true
}

// mustKnow fails the test of a host that does not exist: a fault there would have no effect.
func (n *Network) mustKnow(host string) {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.hosts[host] {
		n.t.Fatalf("netasynctest: the network has no host %q, or not yet", host)
	}
}

// lane returns one direction between two hosts. The caller holds mu.
func (n *Network) lane(from, to string) *lane {
	name := lane2{from, to}
	if n.lanes[name] == nil {
		n.lanes[name] = &lane{random: n.random, buffer: DefaultBuffer, cutAfter: never, streams: make(map[*stream]bool)}
	}
	return n.lanes[name]
}

// end is the end of the network, with the test.
func (n *Network) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = true
	for _, l := range n.listeners {
		l.close()
	}
	for _, l := range n.lanes {
		for s := range l.streams {
			s.reset(net.ErrClosed)
		}
	}
	n.changed.Broadcast()
}

// settle lets goroutines of a bubble find out that all is over, such as one that sends to the WriteChan
// of a session that has ended: that is taken by a timer, and when a bubble's test has returned there
// is no time any more. Elsewhere time goes on anyway.
func settle() {
	if bubbled() {
		time.Sleep(Patience)
	}
}

// bubbled reports whether it is called in a bubble.
func bubbled() (is bool) {
	defer func() { is = recover() == nil }() // elsewhere Wait panics
	synctest.Wait()
	return true
}
