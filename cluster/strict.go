package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync"
)

// Strict names are entries of a stream, each with the node that has it. An entry is written only by who
// knows the sequence of the one before, so that of several who write at the same time one wins. What a node
// has is its own while it has a lease: an entry of the node, which it writes anew again and again. A name
// changes hands in two ways only: its node says that no session of its has it any more; or the node's lease
// has ended, and somebody has written that down where the node would have to renew it.
//
// A node's sessions lose their names some time before anybody may write that. Both measure from a
// renewal: the node from before it is sent, others from after they have heard of it, each by its own
// clock, which has to go at about the same speed, and not to show the same time.

// Errors of strict claims.
var (
	// ErrNoMajority is that the servers that keep strict names have not answered in time: there is no
	// majority of them, or this node is cut off from it.
	ErrNoMajority = errors.New("cluster: the servers that keep strict names do not answer")
	// ErrLeaseLost is the cause of sessions that were closed as their node could not renew its lease of
	// strict names.
	ErrLeaseLost = errors.New("cluster: the node could not renew its lease of strict names")
)

// errHolderSilent is why a claim waits that is to replace a session of a node that is cut off, or dead.
var errHolderSilent = errors.New("cluster: the name's node does not answer, and its lease has not ended")

// grant is a strict claim's part of Claim.
type grant struct {
	number   uint64 // tells the claims of a node apart
	epoch    uint64 // of the node's lease
	sequence uint64 // of the entry
}

// attempt is a strict claim that is under way.
type attempt struct {
	name   string
	number uint64 // of the grant
	mode   Mode
	wrote  bool // its entry was written, or may have been, or may be about to be
	over   bool // and that in the place of another one
}

// strict is the strict names as one node sees them. Its methods that are called by others may be called
// on nil, where names are not strict.
type strict struct {
	node    *Node
	stream  *jetStream
	lease   time.Duration
	numbers atomic.Uint64
	asks    atomic.Int64       // of other nodes, under way
	ctx     context.Context    // ends when the lease is given back, and with it the claims under way
	cancel  context.CancelFunc // ends it
	kept    chan struct{}      // closed when the lease is not renewed any more
	removed chan struct{}      // there are entries to be removed; one slot

	mu      sync.Mutex // guards all below; a leaf, also below Node.mu
	epoch   uint64     // of the lease
	until   time.Time  // when sessions of this node lose their names; zero: there is no lease
	changed chan struct{}
	held    map[string]*Claim
	closing map[string]*Claim // claims that were lost, whose sessions have not closed
	trying  map[string]uint64 // claims that are under way, by their numbers
	turns   map[string]*turn
	seen    map[nodeID]sighting
	dead    map[nodeID]uint64 // the epochs that have ended
	waste   []waste
}

func newStrict(n *Node) *strict {
	st := &strict{
		node: n, stream: newStrictStream(n.nats, &n.opts), lease: n.opts.StrictLease,
		kept: make(chan struct{}), removed: make(chan struct{}, 1), changed: make(chan struct{}),
		held: map[string]*Claim{}, closing: map[string]*Claim{}, trying: map[string]uint64{}, turns: map[string]*turn{},
		seen: map[nodeID]sighting{}, dead: map[nodeID]uint64{},
	}
	st.ctx, st.cancel = context.WithCancel(n.ctx)
	return st
}

// claim makes a claim, and returns it, or the one of the same session that is there already.
func (st *strict) claim(ctx context.Context, c *Claim, mode Mode) (*Claim, error) {
	if !st.node.begin() {
		return nil, ErrShutdown
	}
	defer st.node.work.Done()
	waits, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.session.Context(), cancel)()
	defer context.AfterFunc(st.ctx, cancel)()
	made, err := st.claimInTurn(waits, c, mode)
	if err != nil && waits.Err() != nil && ctx.Err() == nil {
		if c.session.Context().Err() != nil {
			return nil, netasync.ErrClosed
		}
		return nil, ErrShutdown
	}
	return made, err
}

// claimInTurn lets no other claim of this node to the same name be under way.
func (st *strict) claimInTurn(ctx context.Context, c *Claim, mode Mode) (made *Claim, err error) {
	a := &attempt{name: c.name, number: st.numbers.Add(1), mode: mode}
	end, err := st.turn(ctx, a)
	if err != nil {
		return nil, err
	}
	defer end()
	defer func() {
		if made != c && a.wrote {
			st.abandon(a)
		}
	}()
	for {
		before := st.holder(c.name)
		switch {
		case before != nil && before.session == c.session:
			return before, nil
		case mode == Refuse && (before != nil || st.leaving(c.name) != nil):
			return nil, ErrClaimed
		case st.node.directory.full():
			return nil, ErrFull
		}
		if c.grant, err = st.win(ctx, a); err != nil {
			return nil, err
		}
		if err = st.vacate(ctx, c.name); err != nil {
			return nil, err
		}
		if done, err := st.adopt(c); done || err != nil {
			return c, err
		}
	}
}

// vacate ends the claim that has a name at this node, and returns when its session has closed, or that of
// a claim that was lost before. A session whose claim was released lives on.
func (st *strict) vacate(ctx context.Context, name string) error {
	if c := st.holder(name); c != nil {
		st.node.lose([]*Claim{c}, ErrReplaced)
	}
	c := st.leaving(name)
	if c == nil {
		return nil
	}
	select {
	case <-c.session.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// adopt makes a claim hold that has won its entry, if the lease still holds by which it was won.
func (st *strict) adopt(c *Claim) (done bool, err error) {
	n := st.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false, ErrShutdown
	}
	st.mu.Lock()
	if done = st.epoch == c.grant.epoch && time.Now().Before(st.until); done {
		st.held[c.name] = c
	}
	st.mu.Unlock()
	if done {
		n.claims[c.id()] = c
		n.directory.claimAt(c.name, c.session.ID(), c.grant.sequence)
	}
	return done, nil
}

// claimAt makes a name stand for a session of this node. The sequences of a name's entries grow: so the
// claim that has it wins everywhere against those that had it before.
func (d *directory) claimAt(name string, session, clock uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.learn(clock)
	d.ownLocked(change{entry: entry{kind: kindName, key: name, session: session, clock: clock}})
}

// holder returns the claim that has a name at this node.
func (st *strict) holder(name string) *Claim {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.held[name]
}

// leaving returns the claim to a name that was lost at this node, while its session has not closed. Until
// then nobody may have the name.
func (st *strict) leaving(name string) *Claim {
	st.mu.Lock()
	c := st.closing[name]
	st.mu.Unlock()
	if c == nil {
		return nil
	}
	select {
	case <-c.session.Done():
		return nil
	default:
		return c
	}
}

// Bounds of Options.StrictLease.
const (
	defaultStrictLease = 15 * time.Second
	leastStrictLease   = time.Second
)

// resolveStrict validates what has to do with strict names, and fills in defaults.
func (o *Options) resolveStrict() error {
	switch {
	case o.Strict && !o.Mailboxes:
		return errors.New("cluster: Strict is set without mailboxes: it needs Dir, or NATS and Mailboxes")
	case o.StrictLease != 0 && !o.Strict:
		return errors.New("cluster: StrictLease is set without Strict")
	case o.StrictLease != 0 && o.StrictLease < leastStrictLease:
		return fmt.Errorf("cluster: StrictLease is %v, want %v or more", o.StrictLease, leastStrictLease)
	}
	o.StrictLease = cmp.Or(o.StrictLease, defaultStrictLease)
	return nil
}
