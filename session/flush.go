package session

import "time"

const (
	// quiet is how long nothing was written when a sender writes by itself
	// instead of leaving that to a goroutine: a conversation has such pauses, a
	// stream, which is better written in batches, does not.
	quiet = 20 * time.Microsecond
	// patience bounds how long a message waits for company while the consumer,
	// who is likely to send more, has further messages in hand.
	patience = 200 * time.Microsecond
	// batchesAtOnce bounds how much somebody who must not block writes for others.
	batchesAtOnce = 8
)

// mayFlush reports whether there is something to write and nobody who does. The
// caller holds mu.
func (s *Session) mayFlush() bool {
	return !s.out.flushing && s.link != nil && s.writeErr == nil && !s.out.empty()
}

// startFlush leaves what is queued to a goroutine. The caller holds mu.
func (s *Session) startFlush() {
	if s.mayFlush() {
		s.out.flushing = true
		go s.flushFn()
	}
}

// flushHere writes what is queued; without wait, as far as that is possible
// without blocking. The caller holds mu, and loses it.
func (s *Session) flushHere(wait bool) {
	if !s.mayFlush() {
		s.mu.Unlock()
		return
	}
	s.out.flushing = true
	s.mu.Unlock()
	s.flush(wait)
}

// flushSent sees to it that a message which was just queued is written: with
// those to come if the consumer has more in hand, at once and by the caller if
// that ends a batch or a pause, or answers a single message, else by a goroutine. The caller holds mu, and loses it.
func (s *Session) flushSent() {
	more := s.in.more.Load()
	switch {
	case more && s.waiting, !s.mayFlush(): // the timer, or somebody who writes, sees to it
	case more:
		s.awaitCompany()
	case s.out.severalPending() || s.in.single.CompareAndSwap(true, false) || s.now()-s.lastWrite.Load() >= int64(quiet):
		s.flushHere(false)
		return
	default:
		s.startFlush()
	}
	s.mu.Unlock()
}

// awaitCompany bounds how long what is queued may wait for more. The caller
// holds mu.
func (s *Session) awaitCompany() {
	if s.company == nil {
		s.company = time.AfterFunc(patience, s.patienceEnds)
	} else {
		s.company.Reset(patience)
	}
	s.waiting = true
}

// patienceEnds writes what has waited for company long enough.
func (s *Session) patienceEnds() {
	s.mu.Lock()
	s.waiting = false
	s.flushHere(true)
}

// flushBatch writes what the consumer sent while he had messages in hand.
func (s *Session) flushBatch() {
	s.mu.Lock()
	if s.waiting && s.company.Stop() { // else patienceEnds is on its way
		s.waiting = false
	}
	s.flushHere(false)
}

// flush writes until the queue is empty, then gives up the token; the caller
// holds it. Without wait it never blocks: what the link does not take at once
// is left to a goroutine, and the token with it.
func (s *Session) flush(wait bool) {
	for batches := 0; ; batches++ {
		s.mu.Lock()
		link := s.link
		if link == nil || s.writeErr != nil {
			s.giveUpToken()
			return
		}
		if s.out.empty() {
			if !s.sealed {
				s.giveUpToken()
				return
			}
			if !wait {
				s.mu.Unlock()
				go s.flushFn()
				return
			}
			s.finish(link)
			continue
		}
		s.out.load()
		s.mu.Unlock()
		if !s.write(link, wait) || !wait && batches == batchesAtOnce {
			s.handOver()
			return
		}
	}
}

// write gives the link one batch of what is in flight, and settles what it
// took. It reports false when a link that was not to wait took less than all.
func (s *Session) write(link Link, wait bool) bool {
	list := segmentLists.Get().(*[][]byte)
	segments := s.out.inflight.segments((*list)[:0])
	want := 0
	for _, seg := range segments {
		want += len(seg)
	}
	n, err := link.Write(segments, wait)
	clear((*list)[:batchSegments])
	segmentLists.Put(list)
	now := s.now()

	s.mu.Lock()
	defer s.mu.Unlock()
	messages, payload := s.out.sent(s.cfg.Format, n)
	s.stats.sent += uint64(messages)
	s.stats.sentBytes += uint64(payload)
	if n > 0 {
		s.lastWrite.Store(now)
	}
	s.out.room.wake()
	if err != nil {
		s.writeErr = &writeFailure{err, now}
		s.in.drain()
	}
	return err != nil || n == want
}

// handOver leaves the token and what is in flight to a goroutine that may block.
func (s *Session) handOver() {
	s.mu.Lock()
	if s.turn != turnNone { // payloads may be borrowed from a read buffer
		s.out.keep()
	}
	s.mu.Unlock()
	go s.flushFn()
}

// giveUpToken ends a flush. If the connection was lost meanwhile, its end was
// left to us. The caller holds mu, and loses it.
func (s *Session) giveUpToken() {
	if s.turn != turnNone { // what could not be written may be borrowed from a read buffer
		s.out.keep()
	}
	s.out.flushing = false
	if s.link == nil {
		s.settle()
		return
	}
	epoch, failure := s.epoch, s.writeErr
	broken := s.sealed && failure != nil
	s.mu.Unlock()
	if broken {
		s.fail(epoch, failure.err)
	}
}

// finish ends a connection whose queue is flushed. The caller holds the token
// and mu, and loses mu.
func (s *Session) finish(link Link) {
	epoch := s.epoch
	var deadline time.Time
	if s.linger != nil {
		s.linger.timer.Stop()
		deadline = s.linger.end
	}
	s.finishing = true
	s.in.stop() // what still arrives is read and thrown away, so that the peer can end
	s.mu.Unlock()
	link.Finish(deadline)
	s.fail(epoch, nil)
}

// tryHoldWriting takes the flushing token for a link that is about to move, so that nobody
// writes meanwhile. It fails while somebody does.
func (s *Session) tryHoldWriting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out.flushing || s.link == nil {
		return false
	}
	s.out.flushing = true
	return true
}
