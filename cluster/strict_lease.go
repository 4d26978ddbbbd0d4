package cluster

import (
	"context"
	"fmt"
	"time"
)

const (
	// renewals is how often a node renews its lease in the time that it lasts.
	renewals = 8
	// A node's sessions lose their names after heldParts of leaseParts of a lease. The rest is for closing
	// them, and for clocks that do not go at the same speed.
	heldParts, leaseParts = 4, 5
)

// keep gets a lease and renews it, until it is given back.
func (st *strict) keep() {
	defer close(st.kept)
	st.node.mail.make(st.ctx, st.stream)
	own := leaseEntry{node: st.node.id, epoch: 1}
	subject := st.stream.leaseSubject(own.node)
	var sequence uint64
	there := false // it may be
	for pause := time.Duration(0); ; {
		own.counter++
		sent := time.Now()
		written, err := st.stream.put(st.ctx, subject, own.append(nil), sequence)
		there = there || !refused(err)
		switch {
		case err == nil:
			sequence = written
			st.extend(own.epoch, sent.Add(st.lease*heldParts/leaseParts))
			pause = st.lease / renewals
		case wrongSequence(err):
			if own.epoch, sequence, err = st.reread(subject, own.epoch, sequence); err == nil {
				pause = retryFirst
				break
			}
			fallthrough
		default:
			st.node.opts.Logger.Debug("cluster: the lease of strict names", "error", err)
			pause = min(max(2*pause, retryFirst), retryMost, st.lease/renewals)
		}
		select {
		case <-time.After(pause):
		case <-st.ctx.Done():
			if there {
				st.giveBack(subject)
			}
			return
		}
	}
}

// reread looks why the lease cannot be renewed. If that is since somebody has ended it, all names are
// lost, and another epoch begins.
func (st *strict) reread(subject string, epoch, sequence uint64) (uint64, uint64, error) {
	l, found, err := st.stream.get(st.ctx, getRequest{Last: subject})
	if err != nil {
		return epoch, sequence, err
	}
	e := parseLease(l.payload)
	if found && e.epoch == epoch && !e.dead {
		return epoch, l.sequence, nil // it was written, without an answer
	}
	if sequence > 0 {
		st.end(time.Time{})
	}
	return max(epoch, e.epoch) + 1, l.sequence, nil
}

// extend has the lease hold until then.
func (st *strict) extend(epoch uint64, until time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.ctx.Err() != nil || !time.Now().Before(until) {
		return
	}
	st.epoch, st.until = epoch, until
	close(st.changed)
	st.changed = make(chan struct{})
}

// guard ends the lease when it was not renewed.
func (st *strict) guard() {
	for {
		st.mu.Lock()
		until, changed := st.until, st.changed
		st.mu.Unlock()
		var over <-chan time.Time
		if !until.IsZero() {
			over = time.After(time.Until(until))
		}
		select {
		case <-over:
			st.end(until)
		case <-changed:
		case <-st.node.ctx.Done():
			return
		}
	}
}

// end closes all sessions of this node that have names: the lease has ended that held until then, or, if
// that is zero, whichever there was.
func (st *strict) end(until time.Time) {
	st.mu.Lock()
	if !until.IsZero() && !st.until.Equal(until) {
		st.mu.Unlock()
		return
	}
	st.until = time.Time{}
	lost := make([]*Claim, 0, len(st.held))
	for _, c := range st.held {
		lost = append(lost, c)
	}
	st.mu.Unlock()
	if len(lost) > 0 {
		st.node.opts.Logger.Warn("cluster: the lease of strict names has ended", "names", len(lost))
	}
	st.node.lose(lost, ErrLeaseLost)
}

// leased waits for the lease, and returns its epoch.
func (st *strict) leased(ctx context.Context) (epoch uint64, err error) {
	for {
		st.mu.Lock()
		epoch, changed, holds := st.epoch, st.changed, time.Now().Before(st.until)
		st.mu.Unlock()
		if holds {
			return epoch, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: %w", ErrNoMajority, ctx.Err())
		}
	}
}

// valid reports whether there is a lease, by the clock.
func (st *strict) valid() bool {
	if st == nil {
		return true
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return time.Now().Before(st.until)
}

// covers reports whether a claim still holds by the clock, be it that nobody has been told yet that it
// does not.
func (st *strict) covers(c *Claim) bool {
	if st == nil {
		return true
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.held[c.name] == c && time.Now().Before(st.until)
}

// finish gives the lease back when all claims have ended.
func (st *strict) finish() {
	if st == nil {
		return
	}
	st.mu.Lock()
	st.cancel()
	st.until = time.Time{}
	st.mu.Unlock()
	<-st.kept
}

// giveBack removes the lease, so that nobody has to wait for its end. A renewal may have been under way
// that was stored, or is stored just now: so it is the last one that is removed, after which no other
// one can be written. If that does not go, it is tried again for as long as farewell.
func (st *strict) giveBack(subject string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(st.ctx), farewell)
	defer cancel()
	for ctx.Err() == nil {
		l, found, err := st.stream.get(ctx, getRequest{Last: subject})
		if found {
			err = st.stream.remove(ctx, l.sequence)
		}
		if err == nil || !found && unlessGone(err) == nil {
			return
		}
		_ = sleep(ctx, retryFirst)
	}
}

// sighting is the last that was heard of a node's lease, and when.
type sighting struct {
	epoch, counter uint64
	at             time.Time
}

// sight takes note of a node's lease, and returns when it surely has ended, unless it is renewed.
func (st *strict) sight(e leaseEntry) time.Time {
	st.mu.Lock()
	defer st.mu.Unlock()
	s, known := st.seen[e.node]
	if !known || e.epoch > s.epoch || e.epoch == s.epoch && e.counter > s.counter {
		if s = (sighting{e.epoch, e.counter, time.Now()}); !known && len(st.seen) > 2*maxNodes {
			clear(st.seen) // then it takes longer until they are taken for dead
		}
		st.seen[e.node] = s
	}
	return s.at.Add(st.lease)
}

// heard is told of each lease that a node is about to write.
func (st *strict) heard(p []byte) {
	if st == nil {
		return
	}
	if e := parseLease(p); e.node != 0 && e.node != st.node.id && !e.dead {
		st.sight(e)
	}
}

// fence reports whether a node's lease of an epoch has ended for ever. If it was not renewed for long
// enough, that is written where the node would renew it: it is so if that can be written. What is only
// read proves nothing, as a server that is cut off from the others may answer with what was.
func (st *strict) fence(ctx context.Context, id nodeID, epoch uint64) (dead bool, err error) {
	st.mu.Lock()
	ended, known := st.dead[id]
	st.mu.Unlock()
	if known && ended >= epoch {
		return true, nil
	}
	subject := st.stream.leaseSubject(id)
	l, found, err := st.stream.get(ctx, getRequest{Last: subject})
	if err != nil {
		return false, err
	}
	if found {
		e := parseLease(l.payload)
		switch {
		case e.epoch > epoch || e.epoch == epoch && e.dead:
			st.buried(id, epoch)
			return true, nil
		case e.epoch < epoch && e.node == id: // it is what was
			return false, nil
		case e.node == id && time.Now().Before(st.sight(e)):
			return false, nil
		}
	}
	tomb := leaseEntry{node: id, epoch: epoch, dead: true}
	_, err = st.stream.put(ctx, subject, tomb.append(nil), l.sequence)
	if wrongSequence(err) {
		return false, nil // it lives
	}
	if err == nil {
		st.buried(id, epoch)
	}
	return err == nil, err
}

// buried remembers that an epoch of a node's has ended.
func (st *strict) buried(id nodeID, epoch uint64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.dead) > 2*maxNodes {
		clear(st.dead)
	}
	st.dead[id] = max(st.dead[id], epoch)
	delete(st.seen, id)
}
