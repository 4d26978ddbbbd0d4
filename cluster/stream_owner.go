package cluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync"
)

const (
	// batchOfStream is how many messages are queued at a session before that is told to their sender.
	batchOfStream = windowMessages / 4
	// holdPause is how long a stream waits before it looks again: for a mailbox that is emptied first, and
	// for room at a session whose name is strict.
	holdPause = 5 * time.Millisecond
)

// outlet is the end of a stream at the node of its session: messages wait here until the session has
// room, so that no other stream waits for it. It has a goroutine while it has messages.
type outlet struct {
	node *Node
	id   entryID
	news func()            // there is something new to report. It is called without a lock
	work func(func()) bool // starts a goroutine, or reports false if none is to begin any more
	ctx  context.Context   // ends with the claim, and with what has made the outlet
	stop context.CancelFunc

	marked atomic.Bool // it is among those that have something to say

	mu               sync.Mutex // guards all below. Locks taken under it: the directory's, and outlets.mu
	queue            [][]byte
	bytes            int
	handled, refused uint64 // of all messages there were; refused: too large for the session
	running          bool
	over             bool // it takes no more
	last             bool // nothing more will be handled
	next             holder
}

// newOutlet returns an outlet. Its owner calls open when all is ready for news.
func newOutlet(ctx context.Context, n *Node, id entryID, work func(func()) bool, news func()) *outlet {
	o := &outlet{node: n, id: id, work: work, news: news}
	o.ctx, o.stop = context.WithCancel(ctx)
	return o
}

// open has the outlet end with its claim, which may have ended already: then it reports false, and the
// caller sees to it that end is called.
func (o *outlet) open() bool {
	o.node.links.outlets.add(o)
	return o.node.claim(o.id) != nil
}

// add takes messages. The error says that they are more than the window allows, or that the node has ended.
func (o *outlet) add(messages [][]byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return nil // the last word says that they were not handled
	}
	for _, m := range messages {
		if fills(len(o.queue), o.bytes) {
			return errMalformed
		}
		o.queue = append(o.queue, m)
		o.bytes += len(m)
	}
	if !o.running {
		o.running = o.work(o.run)
	}
	if !o.running {
		return ErrShutdown
	}
	return nil
}

// run queues messages at the session until there are no more.
func (o *outlet) run() {
	for batch := o.batch(); batch != nil; batch = o.batch() {
		sent, err := 0, netasync.ErrClosed
		if c := o.node.claim(o.id); c != nil {
			sent, err = c.sendBatch(o.ctx, batch)
		}
		o.settle(sent, err)
		o.news()
	}
}

// batch returns the next messages, or nil if the goroutine is to end.
func (o *outlet) batch() [][]byte {
	o.mu.Lock()
	if o.over || len(o.queue) == 0 {
		said := o.over
		o.running = false
		if said {
			o.finish()
		}
		o.mu.Unlock()
		if said {
			o.news()
		}
		return nil
	}
	defer o.mu.Unlock()
	return o.queue[:min(len(o.queue), batchOfStream)]
}

// settle takes out what was queued at the session. The error is why the next one was not.
func (o *outlet) settle(sent int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
	case errors.Is(err, netasync.ErrFrameTooLarge), errors.Is(err, netasync.ErrEmptyMessage):
		sent++
		o.refused++
	default:
		o.over = true
	}
	o.handled += uint64(sent)
	for i, m := range o.queue[:sent] {
		o.bytes -= len(m)
		o.queue[i] = nil
	}
	o.queue = o.queue[sent:]
}

// end has the outlet say its last word. Messages that are not handled then never will be.
func (o *outlet) end() {
	o.mu.Lock()
	said := !o.over && !o.running
	o.over = true
	if said {
		o.finish()
	}
	o.mu.Unlock()
	o.stop()
	if said {
		o.news()
	}
}

// finish makes what was handled final. The caller holds mu, and calls news.
func (o *outlet) finish() {
	o.last, o.queue, o.bytes = true, nil, 0
	o.next, _ = o.node.directory.holder(o.id.key) // may be the same session, by a later claim
	o.node.links.outlets.remove(o)
	o.stop()
}

// report returns what is to be told to the sender.
func (o *outlet) report() frame {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := frame{kind: frameAck, handled: o.handled, refused: o.refused}
	if o.last {
		f.kind, f.next = frameLast, o.next
	}
	return f
}

// claim returns a claim of this node, or nil.
func (n *Node) claim(id entryID) *Claim {
	n.mu.Lock()
	c := n.claims[id]
	n.mu.Unlock()
	if c == nil || !n.strict.covers(c) {
		return nil
	}
	return c
}

// sendBatch queues messages at the session, and waits for room until ctx ends. It returns how many were
// queued, the first ones. The error is why the next one was not.
func (c *Claim) sendBatch(ctx context.Context, batch [][]byte) (sent int, err error) {
	for c.mail != nil && sent < len(batch) { // while the mailbox is emptied, it goes first
		held, err := c.mail.hold.add(c.session, batch[sent])
		switch {
		case !held:
			more, err := c.give(ctx, batch[sent:])
			return sent + more, err
		case err == nil:
			sent++
			continue
		case !errors.Is(err, netasync.ErrQueueFull):
			return sent, err
		}
		if err := sleep(ctx, holdPause); err != nil {
			return sent, err
		}
	}
	if c.mail != nil {
		return sent, nil
	}
	return c.give(ctx, batch)
}

// give is sendBatch when nothing is kept back. The process may be stopped while it waits for room, and
// another node's session have a strict name when it goes on: so that is looked at before each message.
func (c *Claim) give(ctx context.Context, batch [][]byte) (sent int, err error) {
	if c.node.strict == nil {
		return c.session.SendBatch(ctx, batch)
	}
	for sent < len(batch) {
		if !c.node.strict.covers(c) {
			return sent, netasync.ErrClosed
		}
		switch err := c.session.TrySend(batch[sent]); {
		case err == nil:
			sent++
			continue
		case !errors.Is(err, netasync.ErrQueueFull):
			return sent, err
		}
		if err := sleep(ctx, holdPause); err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// outlets are those of a node, by their claims.
type outlets struct {
	mu  sync.Mutex // guards all below; a leaf
	all map[entryID]map[*outlet]struct{}
}

func (s *outlets) add(o *outlet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[entryID]map[*outlet]struct{}{}
	}
	if s.all[o.id] == nil {
		s.all[o.id] = map[*outlet]struct{}{}
	}
	s.all[o.id][o] = struct{}{}
}

func (s *outlets) remove(o *outlet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all[o.id], o)
	if len(s.all[o.id]) == 0 {
		delete(s.all, o.id)
	}
}

// of returns those of a claim.
func (s *outlets) of(id entryID) []*outlet {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.all[id]))
}

// list returns all.
func (s *outlets) list() (all []*outlet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, some := range s.all {
		all = slices.AppendSeq(all, maps.Keys(some))
	}
	return all
}
