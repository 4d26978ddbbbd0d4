package session

// turn says whether Inline callbacks are running, and where.
type turn uint8

const (
	turnNone turn = iota
	turnLoop      // on an event loop: Send must not block
	turnLink      // on the goroutine of a link: Send may block
)

// Start runs the callbacks of Connected where those of its messages will run: with Inline, in the
// calling event loop or link. It is for the reader.
//
//go:noinline
func (c *Conn) Start(onLoop bool) {
	if !c.s.cfg.Inline || !c.s.in.claim() {
		return
	}
	if !onLoop { // while the callback blocks, we do not read
		c.hold()
		defer c.resume()
	}
	c.s.beginTurn(c, nil, onLoop)
	c.s.runQueued()
	c.finishTurn(onLoop, tally{})
}

// tally counts messages and the bytes of their payload.
type tally struct{ messages, bytes uint64 }

func (t *tally) add(payload []byte) {
	t.messages++
	t.bytes += uint64(len(payload))
}

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
//
//go:noinline
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
		c.letGo()
		return nil, false, nil
	}
	if busy {
		rest, err = c.feedQueue(p)
		return rest, len(rest) > 0, err
	}
	if c.acks != nil && !onLoop { // a callback may block, and we do not get to it behind that
		c.acknowledgeSoon()
	}
	c.s.beginTurn(c, p, onLoop)
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
	for rest = p; len(rest) > 0 && !s.in.runner.full.Load(); {
		if c.acks != nil && c.acks.escaped {
			if rest, err = c.readControl(rest); err != nil {
				return nil, received, assembled, err
			}
			continue
		}
		payload, behind := c.dec.First(rest)
		if len(payload) == 0 { // heartbeats, or a frame of several reads
			if n := c.heartbeats(rest); n > 0 {
				c.prove()
				rest = rest[n:]
				continue
			}
			f, n, complete, err := c.decode(rest)
			if err != nil {
				return nil, received, assembled, err
			}
			if complete && !f.Borrowed {
				if assembled = f.Payload; len(assembled) > copyLimit {
					s.lend(assembled)
				}
			}
			if rest = rest[n:]; !complete {
				continue
			}
			payload, behind = f.Payload, rest
		}
		c.prove()
		rest = behind
		if len(payload) == 0 {
			c.escape()
			continue
		}
		if c.acks != nil && !c.acks.take(1) { // the peer sends it again
			return nil, received, assembled, nil
		}
		received.add(payload)
		onEvent(s, Event{Kind: Message, Payload: payload, Epoch: c.epoch})
	}
	return rest, received, assembled, nil
}

// lend notes that callbacks of the turn get memory that is theirs for the turn only, beside what was
// read.
func (s *Session) lend(assembled []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in.runner.lent[1] = assembled
}

// beginTurn prepares for callbacks that send, and that are lent what was read. On an event loop it
// takes the right to write, so that what they send goes out in one write at the end.
func (s *Session) beginTurn(c *Conn, read []byte, onLoop bool) {
	r := s.in.runner
	s.mu.Lock()
	defer s.mu.Unlock()
	r.turn, r.corked, r.lent = turnLink, nil, [2][]byte{read}
	r.full.Store(false)
	if !onLoop {
		return
	}
	r.turn = turnLoop
	if s.takeWriting(c) {
		r.corked = c
	}
}

// finishTurn ends a turn that has received so much, and gives up the right to run callbacks. The
// callbacks of events that have come meanwhile run before that, in turns of their own. It reports
// whether the outbound queue is past its mark.
func (c *Conn) finishTurn(onLoop bool, received tally) (past bool) {
	for {
		past = c.endTurn()
		if c.s.in.release(&received, c.s.cfg.Group) {
			return onLoop && past
		}
		c.s.beginTurn(c, nil, onLoop)
		c.s.runQueued()
	}
}

// endTurn writes what the callbacks sent as far as that is possible at once, and reports whether
// the outbound queue is past its mark.
func (c *Conn) endTurn() (past bool) {
	s := c.s
	r := s.in.runner
	s.mu.Lock()
	corked := r.corked
	r.corked = nil
	s.mu.Unlock()
	s.flush(corked, false)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.turn == turnLink && c.writeErr != nil {
		c.letRead = s.now()
	}
	r.turn, r.lent = turnNone, [2][]byte{}
	return !s.hasRoom()
}
