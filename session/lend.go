package session

import "slices"

// A loop over Events borrows the receiver's batch, takes events off it without a lock, and gives back
// what is left. While it has the batch others fetch the next one. So batches are numbered as they
// are fetched, and what is given back waits in that order.
//
// ReadChan changes over to its outlet. What is lent goes before all that is queued, so the outlet gets
// nothing until the last of it was given back: its pump counts as at work, though there is none. The
// loops are told by changes.

// lend lends the receiver's batch. The caller holds r.mu.
func (r *receiver) lend() *queue {
	q := r.batch
	r.batch = nil
	r.unshelve()
	r.lent++
	return q
}

// unshelve makes the first of the batches that were given back the one in hand. The caller holds
// r.mu, and none is in hand.
func (r *receiver) unshelve() {
	if len(r.shelf) > 0 {
		r.batch = r.shelf[0]
		r.shelf = slices.Delete(r.shelf, 0, 1)
	}
}

// shelve puts a batch that was given back in its place. The caller holds r.mu.
func (r *receiver) shelve(q *queue) {
	if !r.batch.empty() {
		r.shelf = slices.Insert(r.shelf, 0, r.batch)
	}
	behind := slices.IndexFunc(r.shelf, func(b *queue) bool { return b.number > q.number })
	if behind < 0 {
		behind = len(r.shelf)
	}
	r.shelf = slices.Insert(r.shelf, behind, q)
	r.batch = nil
	r.unshelve()
}

// takeBack takes back what is left of a batch that was lent.
func (in *inbox) takeBack(r *receiver, q *queue) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lent--
	if q.empty() {
		q.free()
	} else {
		r.shelve(q)
		in.wakeReceiver()
	}
	if r.lent == 0 && r.changes.Load() {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.changeOver(r)
	}
}

// changeOver starts the outlet, with all that waits for Recv. The caller holds r.mu and mu, and
// nothing is lent.
func (in *inbox) changeOver(r *receiver) {
	batch, shelf, queued := r.batch, r.shelf, in.queue
	r.batch, r.shelf, in.queue = nil, nil, nil
	in.messages, in.bytes = 0, 0
	in.outlet.held, in.outlet.pumping = false, false
	in.requeue(batch)
	for _, q := range shelf {
		in.requeue(q)
	}
	in.requeue(queued)
	in.room.wake() // the channel may have taken all, and then there is no batch to say so
	in.announce()
	if in.ended {
		in.outlet.end()
	}
}
