package session

// turn says whether Inline callbacks are running, and where.
type turn uint8

const (
	turnNone turn = iota
	turnLoop      // on an event loop: Send must not block
	turnLink      // on the goroutine of a link: Send may block
)

// dispatch gets the callbacks of queued events run. It may be called at any
// time, without locks.
func (s *Session) dispatch() {
	if s.cfg.OnEvent == nil || !s.in.claim() {
		return
	}
	s.cfg.Host.Dispatch(Drive(s))
}

// claim takes the right to run callbacks, which one goroutine has at a time,
// if there are events to run them for.
func (in *inbox) claim() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.running || in.queue.empty() {
		return false
	}
	in.running = true
	return true
}

// runCallbacks calls OnEvent until no events are left, then gives up the right to. Host.Dispatch arranges for it.
func (s *Session) runCallbacks() {
	in, onEvent := s.in, s.cfg.OnEvent
	for batch := in.nextBatch(&in.running); batch != nil; batch = in.nextBatch(&in.running) {
		several := false
		for !batch.empty() {
			var ev Event
			batch.pop(&ev, *in.format)
			several = in.hand(batch, several) || several
			onEvent(s, ev)
			if batch.spent != nil {
				batch.spent.free()
				batch.spent = nil
			}
		}
		batch.free()
		if several {
			s.flushBatch()
		}
	}
}

// Start runs the callbacks of Connected where those of its messages will run:
// with Inline, in the calling event loop or link.
func (r *Receiver) Start(onLoop bool) {
	if !r.s.cfg.Inline || !r.s.in.claim() {
		return
	}
	t := r.s.beginTurn(onLoop)
	r.s.runCallbacks()
	r.s.endTurn(t)
}

// feedInline calls back for each message, in place, until the session has to leave its loop.
func (r *Receiver) feedInline(p []byte, onLoop bool) (rest []byte, leave bool, err error) {
	for rest = p; len(rest) > 0 && !leave && err == nil; {
		rest, leave, err = r.takeTurn(rest, onLoop)
	}
	return rest, leave, err
}

// takeTurn calls back for messages until there are no more, or so much was sent that it
// has to be written first. When a callback is being run elsewhere, for a lifecycle
// event, the messages queue up behind it.
func (r *Receiver) takeTurn(p []byte, onLoop bool) (rest []byte, leave bool, err error) {
	s, in := r.s, r.s.in
	in.mu.Lock()
	current, busy := in.epoch == r.epoch, in.running || !in.queue.empty()
	if current && !busy {
		in.running = true
		in.held = !onLoop // while the callback blocks, we do not read
	}
	in.mu.Unlock()
	if !current {
		return nil, false, nil
	}
	if busy {
		rest, err = r.feedQueue(p)
		return rest, len(rest) > 0, err
	}

	t := s.beginTurn(onLoop)
	rest, messages, size, assembled, err := r.callBack(p)
	in.mu.Lock()
	in.received += messages
	in.receivedBytes += size
	in.mu.Unlock()
	s.runCallbacks() // a lifecycle event may have come meanwhile
	leave = s.endTurn(t)
	assembling.Put(assembled) // what was sent of it is written, or copied
	if !onLoop {
		r.resume()
	}
	return rest, leave, err
}

// callBack calls back for messages in p, and returns what is behind them. At most the first of
// them began in an earlier read: it is returned, too, in memory of our own.
func (r *Receiver) callBack(p []byte) (rest []byte, messages, size uint64, assembled []byte, err error) {
	s, onEvent := r.s, r.s.cfg.OnEvent
	for len(p) > 0 && !s.turnFull.Load() {
		if payload, rest := r.dec.First(p); len(payload) > 0 {
			r.prove()
			messages++
			size += uint64(len(payload))
			onEvent(s, Event{Kind: Message, Payload: payload, Epoch: r.epoch})
			p = rest
			continue
		}
		f, n, complete, err := r.dec.Next(p)
		if err != nil {
			return nil, messages, size, assembled, err
		}
		if complete {
			r.prove()
			if !f.Borrowed {
				assembled = f.Payload
			}
			if len(f.Payload) > 0 {
				messages++
				size += uint64(len(f.Payload))
				onEvent(s, Event{Kind: Message, Payload: f.Payload, Epoch: r.epoch})
			}
		}
		p = p[n:]
	}
	return p, messages, size, assembled, nil
}

// turnMessages is how many messages may wait to be written when a turn on an event loop goes on, unless
// the write buffer holds more: one write for many. Their bytes are bounded by the buffer's.
const turnMessages = 4096

// turnID says which turn is to be ended: once the flushing token is given up,
// that of the next connection may have begun.
type turnID struct {
	number         uint32
	onLoop, corked bool
}

// beginTurn prepares for callbacks that send. On an event loop it takes the
// flushing token, so that what they send goes out in one write at the end.
func (s *Session) beginTurn(onLoop bool) turnID {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns++
	s.turn, s.turnCorked = turnLink, false
	s.turnFull.Store(false)
	if onLoop {
		s.turn = turnLoop
		if !s.out.flushing && s.link != nil && s.writeErr == nil {
			s.out.flushing = true
			s.turnCorked = true
		}
	}
	return turnID{s.turns, onLoop, s.turnCorked}
}

// endTurn writes what the callbacks sent as far as that is possible at once,
// and reports whether the outbound queue is past its mark.
func (s *Session) endTurn(t turnID) (past bool) {
	if t.corked {
		s.flush(false)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turns == t.number {
		s.turn, s.turnCorked = turnNone, false
	}
	s.out.room.wake()
	return t.onLoop && !s.hasRoom()
}
