package cluster

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

// This is how all entries of a node are got, where the changes alone do not do.

const (
	// syncPatience is how long all entries of a node may take to come.
	syncPatience = 10 * time.Second
	// pagePatience is how long each part of them may take: a request that was lost is made again soon.
	pagePatience = 2 * time.Second
	// maxAnswers is how many nodes are told all entries at the same time. Others ask again.
	maxAnswers = 16
)

// sync asks a node for all its entries.
func (n *Node) sync(id nodeID) {
	changes, entries, err := n.fetch(id)
	if err != nil {
		n.directory.failed(id)
		n.opts.Logger.Debug("cluster: entries of a node have not come", "error", err)
		return
	}
	n.directory.synced(id, changes, entries)
	n.settle()
}

// fetch gets all entries of a node.
func (n *Node) fetch(id nodeID) (changes uint64, entries []entry, err error) {
	ctx, cancel := context.WithTimeout(n.ctx, syncPatience)
	defer cancel()
	inbox := nats.NewInbox()
	sub, err := n.nats.SubscribeSync(inbox)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	_ = sub.SetPendingLimits(-1, 2*maxEntries)
	if err = n.nats.PublishRequest(n.to(id, "snapshot"), inbox, nil); err != nil {
		return 0, nil, err
	}
	pages := pages{node: id}
	for {
		m, err := nextPage(ctx, sub)
		if err != nil {
			return 0, nil, err
		}
		last, err := pages.add(m.Data)
		if err != nil {
			return 0, nil, err
		}
		if last {
			return pages.changes, pages.entries, nil
		}
	}
}

func nextPage(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, pagePatience)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

// pages puts the parts of a node's entries together.
type pages struct {
	node    nodeID
	changes uint64
	entries []entry
	bytes   int
}

// add takes the next part, and reports whether it was the last one. It is an error if one is missing, or
// if there is no end to them.
func (s *pages) add(message []byte) (last bool, err error) {
	p, err := parsePage(message)
	if err != nil {
		return false, err
	}
	if s.bytes == 0 {
		s.changes = p.changes
	}
	s.bytes += len(message)
	if p.node != s.node || p.changes != s.changes || p.from != uint64(len(s.entries)) || s.bytes > 4*maxEntries {
		return false, errMalformed
	}
	s.entries = append(s.entries, p.entries...)
	return len(p.entries) == 0, nil
}

// answerSync answers fetch, unless too many ask at the same time.
func (n *Node) answerSync(to string) {
	if n.answers.Add(1) <= maxAnswers {
		changes, entries := n.directory.snapshot()
		for _, message := range paged(n.id, changes, entries) {
			if n.ctx.Err() != nil || n.nats.Publish(to, message) != nil {
				break
			}
		}
	}
	n.answers.Add(-1)
}

// paged returns the messages that tell all entries.
func paged(id nodeID, changes uint64, entries []entry) (messages [][]byte) {
	p := page{node: id, changes: changes}
	for rest := entries; ; {
		size, count := 0, 0
		for count < len(rest) && size < deltaBytes {
			size += rest[count].size()
			count++
		}
		p.entries, rest = rest[:count], rest[count:]
		messages = append(messages, p.append(nil))
		p.from += uint64(count)
		if count == 0 {
			return messages
		}
	}
}
