package session

import "sync/atomic"

// runner is the consumer that runs OnEvent callbacks: one goroutine at a time, a pool's or, with
// Inline, that of the event loop or link.
type runner struct {
	running bool // callbacks are being run. inbox.mu guards it

	// Session.mu guards these. The goroutine that runs callbacks changes them, and yieldTurn.
	turn   turn
	corked *Conn     // to which the turn has the right to write; nil: it has not
	lent   [2][]byte // to the callbacks, for the turn: what was read, and a message of several reads
	passer *passer   // the callback that sends past the bound

	full atomic.Bool // so much was sent in a turn that it has to be written first
}

// holdsUpReader reports whether a callback runs on the goroutine of a link, which reads on when it has
// returned. The caller holds mu.
func (s *Session) holdsUpReader() bool { return s.in.runner != nil && s.in.runner.turn == turnLink }

// turnWrites reports whether a turn has the right to write. The caller holds mu.
func (s *Session) turnWrites() bool { return s.in.runner != nil && s.in.runner.corked != nil }

// dispatch gets the callbacks of queued events run.
func (s *Session) dispatch() {
	if s.in.runner != nil && s.in.claim() {
		s.cfg.Host.Dispatch(Driver{s})
	}
}

// claim takes the right to run callbacks, if there are events to run them for.
func (in *inbox) claim() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.runner.running || in.queue.empty() {
		return false
	}
	in.runner.running = true
	return true
}

// runCallbacks calls OnEvent until no events are left, then gives up the right to. Host.Dispatch
// arranges for it.
func (s *Session) runCallbacks() {
	for {
		s.runQueued()
		if s.in.release(&tally{}, s.cfg.Group) {
			return
		}
	}
}

// runQueued calls OnEvent for what is queued, as one batch.
func (s *Session) runQueued() {
	if batch := s.in.takeAny(); batch != nil {
		s.runBatch(batch)
	}
}

// runBatch calls OnEvent for the events of a batch, then writes what the callbacks sent.
func (s *Session) runBatch(batch *queue) {
	owed := false
	for !batch.empty() {
		var ev Event
		if !batch.popWithin(&ev) { // one call less for most events
			batch.pop(&ev)
		}
		owed = s.inHand(batch) || owed
		s.cfg.OnEvent(s, ev)
		if batch.spent != nil {
			batch.spent.free()
			batch.spent = nil
		}
	}
	batch.free()
	if owed {
		s.uncork()
	}
}

// release counts what was received, and gives up the right to run callbacks. It reports false if
// there are events, whose callbacks are to be run first.
func (in *inbox) release(received *tally, group *Group) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.received += received.messages
	in.receivedBytes += received.bytes
	if in.summed {
		group.receivedLate(*received)
	}
	*received = tally{}
	in.runner.running = !in.queue.empty()
	return !in.runner.running
}
