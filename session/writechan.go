package session

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// writeChan is the channel in front of the outbound queue. It knows nothing of
// the session, so that the goroutine which drains it after the end does not keep that.
type writeChan struct {
	c chan []byte // the user sends and closes

	// Session.mu guards these.
	ended  bool
	group  *idleGroup    // waits for c; nil while pumpWrites does
	ending chan struct{} // closed when the session is closing; nil while the group waits
	last   int64         // when a message came while the group waited, nanoseconds since Config.Start

	dropped chan struct{}   // closed by the runtime when the user has dropped the closed session
	cleanup runtime.Cleanup // does so
	late    atomic.Uint64   // messages thrown away after the end
}

// WriteChan returns the channel of messages to the peer, always the same one.
// The user may close it, which means Close; the library never does. A send
// gives the payload away, which must therefore not be one that an OnEvent
// callback was lent. Messages that Send would refuse are ignored and counted in
// Stats, and so is all that comes after the session has closed: a send never
// panics, nor does it hang for ever. Before the write buffer, the channel itself holds as
// many messages as its capacity says, however large they are. Messages by one way of sending keep their order; a
// Send may overtake what was put into the channel before it.
func (s *Session) WriteChan() chan<- []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		b, chans := &s.cfg.WriteBuffer, s.cfg.Host.Chans()
		s.w = &writeChan{last: s.now() - int64(idleAfter)}
		if s.closing {
			s.w.c, s.w.ended = make(chan []byte, writeSlots.leastFor(b)), true
			s.discardWrites()
		} else {
			s.w.c = make(chan []byte, chans.capacity(writeSlots, b))
			s.w.group = chans.idle.join(s)
		}
	}
	return s.w.c
}

// endWrites tells who waits for the write channel that the session is closing. The caller holds mu.
func (s *Session) endWrites() {
	w := s.w
	if w.ended {
		return
	}
	w.ended = true
	if w.group != nil {
		w.group.dismiss(s) // to pumpWrites
		return
	}
	close(w.ending)
}

// sendOne sends a message from an idle channel, if it is a single one and there is room for it:
// it does not block.
func (s *Session) sendOne(m []byte) bool {
	s.mu.Lock()
	now := s.now()
	busy := now-s.w.last < int64(idleAfter) || len(s.w.c) > 0
	s.w.last = now
	if busy || s.closing || !s.hasRoom() {
		s.mu.Unlock()
		return false
	}
	s.enqueueChecked(m)
	s.flushHere(false)
	return true
}

// resumeWrites goes on with what came through a channel that is not idle any more.
func (s *Session) resumeWrites(m []byte, open bool) {
	if !open {
		s.closeFromChan()
		return
	}
	s.sendFromChan(s.w, m)
	s.pumpWrites()
}

// pumpWrites moves messages from the channel to the queue until nothing comes
// for a while, the session ends or the user closes the channel.
func (s *Session) pumpWrites() {
	s.mu.Lock()
	w := s.w
	w.group = nil
	if w.ended {
		s.mu.Unlock()
		s.lastWrites(w)
		return
	}
	ending := make(chan struct{})
	w.ending = ending
	s.mu.Unlock()

	idle := time.NewTimer(idleAfter)
	defer idle.Stop()
	for used := false; ; {
		select {
		case m, open := <-w.c:
			if !open {
				s.closeFromChan()
				return
			}
			s.sendFromChan(w, m)
			used = true
		case <-ending:
			s.lastWrites(w)
			return
		case <-idle.C:
			if !used && s.rest(w) {
				return
			}
			used = false
			idle.Reset(idleAfter)
		}
	}
}

// rest leaves the channel to a group, unless the session is closing.
func (s *Session) rest(w *writeChan) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.ended {
		return false
	}
	w.ending, w.group = nil, s.cfg.Host.Chans().idle.join(s)
	return true
}

// sendFromChan queues a message and those behind it in the channel, as long as
// there is room, and writes them together. When the channel is empty
// it lets the others run once if more is likely to come: a user who was waiting for room in the
// channel fills it again, and one write carries many messages. In a conversation of one message at a time
// that would only lose time: the event loop may be next, and wait for the answer.
func (s *Session) sendFromChan(w *writeChan, m []byte) {
	s.mu.Lock()
	if s.check(m) == nil { // what is refused needs no room, and must not use up the wake-up of who does
		_ = s.awaitRoom(context.Background()) // closing: the user's send was over before that
	}
	s.enqueueChecked(m)
	limit := &s.cfg.WriteBuffer
	for yielded := !s.in.waiting() && len(w.c) == 0; !s.closing && !limit.full(s.out.messages, s.out.bytes); {
		select {
		case m, open := <-w.c:
			if open {
				s.enqueueChecked(m)
				yielded = false
				continue
			} // the pump's next receive says so again
		default:
			if !yielded {
				yielded = true
				s.mu.Unlock()
				runtime.Gosched()
				s.mu.Lock()
				continue
			}
		}
		break
	}
	s.flushHere(false) // who waits for the link here would neither take further messages nor hear of the end
}

// enqueueChecked queues a message, or counts one that cannot be sent. The
// caller holds mu.
func (s *Session) enqueueChecked(m []byte) {
	if s.state.now == StateClosed || s.check(m) != nil {
		s.stats.discarded++
		return
	}
	s.enqueue(m)
}

// closeFromChan is Close for a user who closed the channel: all it held has
// been queued.
func (s *Session) closeFromChan() {
	s.mu.Lock()
	s.beginClose()
	s.endWrites()
	if s.sealed {
		s.mu.Unlock()
		return
	}
	s.seal()
}

// lastWrites queues what the channel holds when the session closes, past the
// bounds if need be, and leaves the channel to discard.
func (s *Session) lastWrites(w *writeChan) {
	s.mu.Lock()
	for range cap(w.c) {
		select {
		case m, open := <-w.c:
			if !open {
				s.seal()
				return
			}
			s.enqueueChecked(m)
			continue
		default:
		}
		break
	}
	s.discardWrites()
	s.seal()
}

// discardWrites throws away what is sent from now on. The caller holds mu.
func (s *Session) discardWrites() {
	w := s.w
	w.dropped = make(chan struct{})
	w.cleanup = runtime.AddCleanup(s, func(dropped chan struct{}) { close(dropped) }, w.dropped)
	go w.discard()
}

// discard throws away what is sent after the end, until the user closes the
// channel or has dropped the session.
func (w *writeChan) discard() {
	for {
		select {
		case _, open := <-w.c:
			if !open {
				w.cleanup.Stop()
				return
			}
			w.late.Add(1)
		case <-w.dropped:
			go lastSends(weakly(w.c))
			return
		}
	}
}
