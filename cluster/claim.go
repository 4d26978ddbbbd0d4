package cluster

import (
	"context"
	"errors"
	"fmt"
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
)

// Claim is a session's right to a name: what is sent to the name reaches it.
type Claim struct {
	node    *Node
	name    string
	session *netasync.Session
	stop    func() bool // no longer waits for the session's end
	mail    *delivery   // nil: there are no mailboxes
}

// Name returns the name.
func (c *Claim) Name() string { return c.name }

// Claim makes a session of this node the one that a name stands for, until it closes, Release is called,
// or another session claims the name with Replace, anywhere. Names are UTF-8, at most 1 KiB. Where two
// nodes claim a name at the same time the later one wins, by a clock that all nodes share, and the other
// session is closed with ErrReplaced; so it is when two parts of a cluster find each other again that
// had lost one another. What was posted to the name comes to the session, see [Node.Post]. Errors are ErrClaimed, ErrShutdown, and netasync.ErrClosed for a session that has
// closed.
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
	id := entryID{kindName, name, s.ID()}
	old, err := n.addClaim(id, c)
	if old != nil || err != nil { // it has the name, or will be told that it has not
		c.stop()
		return old, err
	}
	if mode == Refuse {
		if _, held := n.directory.claim(name, s.ID()); held {
			n.forgetClaim(id)
			c.stop()
			return nil, ErrClaimed
		}
	} else {
		n.directory.own(change{entry: entry{kind: kindName, key: name, session: s.ID()}})
	}
	n.news()
	n.settleClaims([]change{{entry: entry{kind: kindName, key: name}}})
	if s.Context().Err() != nil { // it may have ended before the claim was there to be released
		c.Release()
		return nil, netasync.ErrClosed
	}
	n.mail.begin(c.mail)
	return c, nil
}

func checkName(name string) error {
	if name == "" || len(name) > maxText || !utf8.ValidString(name) {
		return fmt.Errorf("cluster: the name %.40q is not UTF-8 of 1 to %d bytes", name, maxText)
	}
	return nil
}

// addClaim keeps a claim, unless there is one of the same session already.
func (n *Node) addClaim(id entryID, c *Claim) (old *Claim, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, ErrShutdown
	}
	if old = n.claims[id]; old == nil {
		n.claims[id] = c
	}
	return old, nil
}

// Release gives the name back. It may be called again, and when the session has closed.
func (c *Claim) Release() {
	id := entryID{kindName, c.name, c.session.ID()}
	if !c.node.forgetClaim(id) {
		return
	}
	c.stop()
	c.node.mail.end(c.mail)
	c.node.directory.own(change{entry: entry{kind: kindName, key: c.name, session: c.session.ID()}, gone: true})
	c.node.news()
}

// forgetClaim reports whether the claim was there.
func (n *Node) forgetClaim(id entryID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, there := n.claims[id]
	delete(n.claims, id)
	return there
}

// settleClaims closes sessions of this node whose names were claimed by others.
func (n *Node) settleClaims(changes []change) {
	for _, lost := range n.directory.losers(changes) {
		n.mu.Lock()
		c := n.claims[lost.id()]
		n.mu.Unlock()
		if c != nil {
			c.Release()
			c.session.CloseNow(ErrReplaced)
		}
	}
}
