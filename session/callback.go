package session

import "sync/atomic"

// runner is the consumer that runs OnEvent callbacks: one goroutine at a time, a pool's or, with
// Inline, that of the event loop or link.
type runner struct {
	running bool // callbacks are being run. inbox.mu guards it

	// Session.mu guards these. Only the goroutine that runs callbacks changes them.
	turn   turn
	corked bool // the turn has the right to write

	full atomic.Bool // so much was sent in a turn that it has to be written first
}

// turn says whether Inline callbacks are running, and where.
type turn uint8

const (
	turnNone turn = iota
	turnLoop      // on an event loop: Send must not block
	turnLink      // on the goroutine of a link: Send may block
)

// turn returns what the session's callbacks are at. The caller holds mu.
func (s *Session) turn() turn {
	if s.in.runner == nil {
		return turnNone
	}
	return s.in.runner.turn
}

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
		if s.in.release(&tally{}) {
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
		batch.pop(&ev)
		owed = s.inHand(batch) || owed
		s.cfg.OnEvent(s, ev)
		batch.spent.free()
		batch.spent = nil
	}
	batch.free()
	if owed {
		s.uncork()
	}
}

// Start runs the callbacks of Connected where those of its messages will run: with Inline, in the
// calling event loop or link. It is for the reader.
func (c *Conn) Start(onLoop bool) {
	if !c.s.cfg.Inline || !c.s.in.claim() {
		return
	}
	c.s.beginTurn(c, onLoop)
	c.s.runQueued()
	c.finishTurn(onLoop, tally{})
}

// tally counts messages and the bytes of their payload.
type tally struct{ messages, bytes uint64 }

// feedInline calls back for each message, in place, until the session has to leave its loop.
func (c *Conn) feedInline(p []byte, onLoop bool) (rest []byte, leave bool, err error) {
	for rest = p; len(rest) > 0 && !leave && err == nil; {
		rest, leave, err = c.inlineTurn(rest, onLoop)
	}
	return rest, leave, err
}

// inlineTurn calls back for messages until there are no more, or so much was sent that it has to be
// written first. When a callback is being run elsewhere, for a lifecycle event, the messages
// queue up behind it.
func (c *Conn) inlineTurn(p []byte, onLoop bool) (rest []byte, leave bool, err error) {
	in := c.s.in
	in.mu.Lock()
	current, busy := in.conn == c, in.runner.running || !in.queue.empty()
	if current && !busy {
		in.runner.running = true
		c.held = !onLoop // while the callback blocks, we do not read
	}
	in.mu.Unlock()
	if !current {
		return nil, false, nil
	}
	if busy {
		rest, err = c.feedQueue(p)
		return rest, len(rest) > 0, err
	}
	c.s.beginTurn(c, onLoop)
	rest, received, assembled, err := c.callBack(p)
	leave = c.finishTurn(onLoop, received)
	assembling.Put(assembled) // what was sent of it is written, or copied
	if !onLoop {
		c.resume()
	}
	return rest, leave, err
}

// callBack calls back for messages in p, and returns what is behind them. At most the first of
// them began in an earlier read: it is returned, too, in memory of our own.
func (c *Conn) callBack(p []byte) (rest []byte, received tally, assembled []byte, err error) {
	s, onEvent := c.s, c.s.cfg.OnEvent
	for len(p) > 0 && !s.in.runner.full.Load() {
		if payload, rest := c.dec.First(p); len(payload) > 0 {
			c.prove()
			received.messages++
			received.bytes += uint64(len(payload))
			onEvent(s, Event{Kind: Message, Payload: payload, Epoch: c.epoch})
			p = rest
			continue
		}
		if n := c.dec.Heartbeats(p); n > 0 {
			c.prove()
			p = p[n:]
			continue
		}
		f, n, complete, err := c.dec.Next(p)
		if err != nil {
			return nil, received, assembled, err
		}
		if complete {
			c.prove()
			if !f.Borrowed {
				assembled = f.Payload
			}
			if len(f.Payload) > 0 {
				received.messages++
				received.bytes += uint64(len(f.Payload))
				onEvent(s, Event{Kind: Message, Payload: f.Payload, Epoch: c.epoch})
			}
		}
		p = p[n:]
	}
	return p, received, assembled, nil
}

// beginTurn prepares for callbacks that send. On an event loop it takes the right to write, so
// that what they send goes out in one write at the end.
func (s *Session) beginTurn(c *Conn, onLoop bool) {
	r := s.in.runner
	s.mu.Lock()
	defer s.mu.Unlock()
	r.turn, r.corked = turnLink, false
	r.full.Store(false)
	if onLoop {
		r.turn, r.corked = turnLoop, s.takeWriting(c)
	}
}

// finishTurn ends a turn that has received so much, and gives up the right to run callbacks. The
// callbacks of events that have come meanwhile run before that, in turns of their own. It reports
// whether the outbound queue is past its mark.
func (c *Conn) finishTurn(onLoop bool, received tally) (past bool) {
	for {
		past = c.s.endTurn(c)
		if c.s.in.release(&received) {
			return onLoop && past
		}
		c.s.beginTurn(c, onLoop)
		c.s.runQueued()
	}
}

// endTurn writes what the callbacks sent as far as that is possible at once, and reports whether
// the outbound queue is past its mark.
func (s *Session) endTurn(c *Conn) (past bool) {
	r := s.in.runner
	if r.corked {
		s.flush(c, false)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.turn, r.corked = turnNone, false
	s.out.room.wake()
	return !s.hasRoom()
}

// release counts what was received, and gives up the right to run callbacks. It reports false if
// there are events, whose callbacks are to be run first.
func (in *inbox) release(received *tally) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.received += received.messages
	in.receivedBytes += received.bytes
	*received = tally{}
	in.runner.running = !in.queue.empty()
	return !in.runner.running
}
