package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/netasync/netasync"
)

// Mode says what a claim does about a session that has the name.
type Mode uint8

// The modes.
const (
	// Replace closes that session, with ErrReplaced as its cause.
	Replace Mode = iota
	// Refuse leaves it, and the claim fails with ErrClaimed.
	Refuse
)

// Errors of claims.
var (
	ErrClaimed  = errors.New("cluster: the name is claimed")
	ErrReplaced = errors.New("cluster: another session has claimed the name")
	// ErrFull is that this node has so many names and members, 128 MiB of them, that others might not take
	// them all in.
	ErrFull = errors.New("cluster: too many names and members at this node")
)

// Claim is a session's right to a name: what is sent to the name reaches it.
type Claim struct {
	node    *Node
	name    string
	session *netasync.Session
	stop    func() bool // no longer waits for the session's end
	mail    *delivery   // nil: there are no mailboxes
	grant   grant       // of a strict one
	lost    bool        // its session was closed for others; under Node.mu
}

// Name returns the name.
func (c *Claim) Name() string { return c.name }

// Claim makes a session of this node the one that a name stands for, until it closes, Release is called,
// or another session claims the name with Replace, anywhere. Names are UTF-8, at most 1 KiB. A session may
// have many names; if it has this one already, that claim is returned again.
//
// Where two nodes claim a name at the same time the later one wins, by a clock that all nodes share, and
// the other session is closed with ErrReplaced, also if both have said Refuse. So it is when two parts of
// a cluster find each other again that had lost one another. With Options.Strict none of that happens: a
// name is one session's alone. Then Claim waits for a majority of the servers, until ctx ends, which is
// ErrNoMajority. With Replace it returns when the older session has closed, or, if its node does not
// answer, when that node's lease has ended; that session may have closed also if Claim fails. With Refuse
// a name that such a node has is claimed until then. A session whose
// node cannot renew its lease is closed with ErrLeaseLost. What was posted to the name comes to the
// session, see [Node.Post]. Errors are ErrClaimed, ErrFull, ErrShutdown,
// and netasync.ErrClosed for a session that has closed.
func (n *Node) Claim(ctx context.Context, name string, s *netasync.Session, mode Mode) (*Claim, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if mode > Refuse {
		return nil, fmt.Errorf("cluster: mode is %d, want Replace or Refuse", mode)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &Claim{node: n, name: name, session: s, mail: n.mail.delivery(name, s)}
	c.stop = context.AfterFunc(s.Context(), c.Release)
	made, err := n.makeClaim(ctx, c, mode)
	if made != c {
		c.stop()
		if made != nil && s.Context().Err() != nil { // it is about to be released
			return nil, netasync.ErrClosed
		}
		return made, err
	}
	n.news()
	n.settle()
	if s.Context().Err() != nil { // it may have ended before the claim was there to be released
		c.Release()
		return nil, netasync.ErrClosed
	}
	n.mail.begin(c.mail)
	return c, nil
}

func (c *Claim) id() entryID { return entryID{kindName, c.name, c.session.ID()} }

func checkName(name string) error {
	if name == "" || len(name) > maxText || !utf8.ValidString(name) {
		return fmt.Errorf("cluster: the name %.40q is not UTF-8 of 1 to %d bytes", name, maxText)
	}
	return nil
}

// makeClaim makes a claim, and returns it, or the one of the same session that is there already.
func (n *Node) makeClaim(ctx context.Context, c *Claim, mode Mode) (*Claim, error) {
	if n.strict != nil {
		return n.strict.claim(ctx, c, mode)
	}
	return n.addClaim(c, mode)
}

// addClaim makes a claim by what this node knows, without asking anybody. Here and
// in the directory it is made and ended at once, under mu, or a claim could be left of a session that ends.
func (n *Node) addClaim(c *Claim, mode Mode) (*Claim, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch before := n.claims[c.id()]; {
	case n.closed:
		return nil, ErrShutdown
	case before != nil:
		return before, nil
	case n.directory.full():
		return nil, ErrFull
	case !n.directory.claim(c.name, c.session.ID(), mode == Refuse, time.Now()):
		return nil, ErrClaimed
	}
	n.claims[c.id()] = c
	return c, nil
}

// Release gives the name back. It may be called again, and when the session has closed or was replaced:
// another session's claim stays.
func (c *Claim) Release() {
	c.node.mu.Lock()
	there := c.node.endClaim(c)
	c.node.mu.Unlock()
	if there {
		c.stop()
		c.node.mail.end(c.mail)
		c.node.news()
	}
}

// endClaim reports whether the claim was there. The caller holds mu.
func (n *Node) endClaim(c *Claim) bool {
	if n.claims[c.id()] != c {
		return false
	}
	delete(n.claims, c.id())
	n.strict.ended(c)
	defer n.links.released(c.id())
	return n.directory.own(change{entry: entry{kind: kindName, key: c.name, session: c.session.ID()}, gone: true})
}

// settle closes sessions of this node whose names were claimed by others.
func (n *Node) settle() {
	var lost []*Claim
	n.mu.Lock()
	for _, id := range n.directory.losers() {
		if c := n.claims[id]; c != nil {
			lost = append(lost, c)
		}
	}
	n.mu.Unlock()
	n.lose(lost, ErrReplaced)
}

// lose ends claims and closes their sessions, unless the claims have ended.
func (n *Node) lose(claims []*Claim, cause error) {
	for _, c := range claims {
		n.mu.Lock()
		c.lost = c.lost || n.claims[c.id()] == c
		there := n.endClaim(c)
		n.mu.Unlock()
		if there {
			c.stop()
			n.mail.end(c.mail)
			c.session.CloseNow(cause)
			n.strict.closes(c)
			n.news()
		}
	}
}
