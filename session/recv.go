package session

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
)

// receiver is the consumer behind Recv: it hands out a batch event by event.
type receiver struct {
	mu    sync.Mutex // guards all below. Lock order: see inbox
	batch *queue     // nil if there is none in hand
	owed  bool       // the consumer had further events in hand: what was sent may be corked

	changes atomic.Bool // ReadChan was called: nothing is fetched or lent any more. Set under mu
	fetched uint64      // batches so far
	lent    int         // batches
	shelf   []*queue    // that were given back, in order, and come after batch; see lend.go
}

// Recv returns the next event, waiting for it if there is none. It returns io.EOF after Closed,
// and ctx's error when that ends first. It may be called from several goroutines, and together
// with ReadChan: every event reaches one of them.
func (s *Session) Recv(ctx context.Context) (ev Event, err error) {
	r := s.in.receiver.Load()
	if r == nil {
		if r, err = s.newReceiver(); err != nil {
			return ev, err
		}
	}
	r.mu.Lock()
	if r.batch.popWithin(&ev) {
		r.mu.Unlock()
		return ev, nil
	}
	if !r.batch.empty() {
		s.handOut(r, &ev)
		r.mu.Unlock()
		return ev, nil
	}
	r.mu.Unlock()
	o, woken, err := s.await(ctx, r)
	switch {
	case err != nil:
	case o != nil:
		err = o.recv(ctx, &ev)
	default:
		s.handOut(r, &ev)
		if woken && !r.batch.empty() {
			s.in.wakeReceiver() // the wake-up goes on to the next that waits
		}
		r.mu.Unlock()
	}
	return ev, err
}

// newReceiver makes the session's receiver, unless there is one already.
func (s *Session) newReceiver() (*receiver, error) {
	if s.cfg.OnEvent != nil {
		return nil, ErrCallbacks
	}
	if s.in.receiver.Load() == nil {
		s.in.receiver.CompareAndSwap(nil, new(receiver))
	}
	return s.in.receiver.Load(), nil
}

// await waits until the receiver has a batch in hand, and returns with r.mu held; or it returns the
// outlet, if the events come by that. It reports whether it was woken.
func (s *Session) await(ctx context.Context, r *receiver) (o *outlet, woken bool, err error) {
	in := s.in
	for {
		r.mu.Lock()
		if r.owed && r.batch.empty() {
			r.owed = false
			r.mu.Unlock()
			s.uncork() // the answers to the batch before
			continue
		}
		if in.fetch(r) {
			return nil, woken, nil
		}
		in.mu.Lock() // under r.mu: a fetch from here on wakes us
		r.mu.Unlock()
		switch {
		case in.outlet != nil:
			in.ready.wake() // others that wait must change over, too
			in.mu.Unlock()
			return in.outlet, woken, nil
		case !in.queue.empty():
			in.mu.Unlock()
		case in.ended:
			in.ready.wake()
			in.mu.Unlock()
			return nil, woken, io.EOF
		default:
			err := in.awaitReady(ctx)
			in.mu.Unlock()
			if err != nil {
				return nil, woken, err
			}
			woken = true
		}
	}
}

// awaitReady waits until there may be events. The caller holds mu, which is free while it waits.
func (in *inbox) awaitReady(ctx context.Context) error {
	c := in.ready.arm()
	in.mu.Unlock()
	var err error
	if ctx.Done() == nil { // worth a shorter way: many goroutines wait here, each with its stack
		<-c
	} else {
		err = waitFor(ctx, c)
	}
	in.mu.Lock()
	in.ready.disarm()
	return err
}

// fetch gets the receiver a batch if it has none, and reports whether it has one. The caller
// holds r.mu.
func (in *inbox) fetch(r *receiver) bool {
	if r.changes.Load() {
		return false
	}
	if r.batch.empty() {
		r.unshelve()
	}
	if !r.batch.empty() {
		in.wakeReceiver() // the wake-up may have been for what is in the queue
		return true
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.queue.empty() {
		return false
	}
	r.batch = in.take()
	r.fetched++
	r.batch.number = r.fetched
	in.ready.wake()
	return true
}

// wakeReceiver wakes one that waits in Recv.
func (in *inbox) wakeReceiver() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.ready.wake()
}

// handOut takes the next event of the receiver's batch. The caller holds r.mu.
func (s *Session) handOut(r *receiver, ev *Event) {
	r.batch.pop(ev)
	if ev.Kind == Closed { // for the others that wait there is only the end
		s.in.wakeReceiver()
	}
	if s.inHand(r.batch) {
		r.owed = true
		return
	}
	r.batch.free()
	r.batch = nil
}
