package cluster

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// Entries of claims that have ended are removed when there is time for it. Nobody waits for that: who
// claims such a name asks its node, and hears that it is free.

// waste is an entry that is to be removed: by its sequence, or if that is 0, if it is of the claim.
type waste struct {
	sequence uint64
	name     string
	number   uint64
}

// maxWaste is how many entries wait to be removed. Those that are too many stay where they are.
const maxWaste = 1 << 18

// ended is told of each claim that has ended. If it was lost, its name is not free, and its entry stays,
// until its session has closed. The caller holds Node.mu.
func (st *strict) ended(c *Claim) {
	if st == nil {
		return
	}
	st.mu.Lock()
	if st.held[c.name] == c {
		delete(st.held, c.name)
		if c.lost {
			st.closing[c.name] = c
		}
	}
	st.mu.Unlock()
	if !c.lost {
		st.discard(waste{sequence: c.grant.sequence})
	}
}

// closes is told of each claim that was lost, and has the rest done when its session has closed.
func (st *strict) closes(c *Claim) {
	if st == nil {
		return
	}
	context.AfterFunc(c.session.Context(), func() {
		st.mu.Lock()
		if st.closing[c.name] == c {
			delete(st.closing, c.name)
		}
		st.mu.Unlock()
		st.discard(waste{sequence: c.grant.sequence})
	})
}

// abandon has the entry removed of a claim that has failed, which may stand in the place of the one that
// it was to replace: that claim ends. The entry stays until its session has closed, as it is what keeps
// others from the name. The caller has the turn.
func (st *strict) abandon(a *attempt) {
	w := waste{name: a.name, number: a.number}
	if c := st.holder(a.name); c != nil && a.over {
		st.node.lose([]*Claim{c}, ErrReplaced)
	}
	c := st.leaving(a.name)
	if c == nil {
		st.discard(w)
		return
	}
	context.AfterFunc(c.session.Context(), func() { st.discard(w) })
}

// discard has an entry removed.
func (st *strict) discard(w waste) {
	st.mu.Lock()
	if len(st.waste) < maxWaste {
		st.waste = append(st.waste, w)
	}
	st.mu.Unlock()
	select {
	case st.removed <- struct{}{}:
	default:
	}
}

// sweep removes what is to be removed.
func (st *strict) sweep() {
	ctx := st.node.ctx
	for {
		select {
		case <-st.removed:
			st.removeAll(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// tend looks after the stream, in a goroutine of its own, as what is to be removed may wait for the stream.
func (st *strict) tend() {
	ctx := st.node.ctx
	ticker := time.NewTicker(cmp.Or(st.node.opts.mailPoll, pollEvery))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			st.lookAfter(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// lookAfter has the stream grow with the cluster, and made again if it is gone, and all that was in it.
func (st *strict) lookAfter(ctx context.Context) {
	wanted := 0 // the user's servers are his
	if st.node.server != nil {
		wanted = st.node.mail.replicas()
	}
	if _, err := st.stream.last(ctx, wanted); code(err) == server.JSStreamNotFoundErr {
		_ = st.stream.ensure(ctx, st.node.mail.replicas()) // else the next time
	}
}

func (st *strict) removeAll(ctx context.Context) {
	for ctx.Err() == nil {
		st.mu.Lock()
		all := st.waste
		st.waste = nil
		st.mu.Unlock()
		if len(all) == 0 {
			return
		}
		for _, w := range all {
			for pause := retryFirst; ; pause = min(2*pause, retryMost) {
				if err := st.removeOne(ctx, w); err == nil || !temporary(err) {
					break
				}
				if sleep(ctx, pause) != nil {
					return
				}
			}
		}
	}
}

// removeOne removes an entry, if it is there, and if there is a stream at all.
func (st *strict) removeOne(ctx context.Context, w waste) error {
	if w.sequence == 0 {
		e, sequence, err := st.owner(ctx, w.name)
		if err != nil || e.node != st.node.id || e.number != w.number {
			return unlessGone(err)
		}
		w.sequence = sequence
	}
	return unlessGone(st.stream.remove(ctx, w.sequence))
}

// unlessGone returns an error, unless it is that there is no such entry, or no stream.
func unlessGone(err error) error {
	var a *jetstream.APIError
	if errors.As(err, &a) && a.Code == 404 {
		return nil
	}
	return err
}
