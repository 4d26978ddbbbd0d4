package session

import (
	"context"
	"runtime"
	"sync/atomic"
)

// writeChanCap is the capacity of a write channel, in messages; the queue
// behind it is what WriteBuffer bounds.
const writeChanCap = 16

// writeChan is the channel in front of the outbound queue. It knows nothing of
// the session, so that the goroutine which drains it after the end does not keep that.
type writeChan struct {
	c       chan []byte   // the user sends and closes
	ending  chan struct{} // closed when the session is closing or closed. Session.mu guards ended
	ended   bool
	dropped chan struct{}   // closed by the runtime when the user has dropped the session
	cleanup runtime.Cleanup // does so
	late    atomic.Uint64   // messages thrown away after the end
}

// end tells the pump that the session is closing. The caller holds Session.mu.
func (w *writeChan) end() {
	if !w.ended {
		w.ended = true
		close(w.ending)
	}
}

// WriteChan returns the channel of messages to the peer, always the same one.
// The user may close it, which means Close; the library never does. A send
// gives the payload away. Messages that Send would refuse are ignored and
// counted in Stats, and so is all that comes after the session has closed: a send
// never panics, nor does it hang for ever.
func (s *Session) WriteChan() chan<- []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w != nil {
		return s.w.c
	}
	w := &writeChan{
		c:       make(chan []byte, min(s.cfg.WriteBuffer.Cap, writeChanCap)),
		ending:  make(chan struct{}),
		dropped: make(chan struct{}),
	}
	s.w = w
	w.cleanup = runtime.AddCleanup(s, func(dropped chan struct{}) { close(dropped) }, w.dropped)
	if s.closing {
		w.end()
		go w.discard()
		return w.c
	}
	go s.pumpWrites(w)
	return w.c
}

// pumpWrites moves messages from the channel to the queue until the session
// ends or the user closes the channel.
func (s *Session) pumpWrites(w *writeChan) {
	for {
		select {
		case m, open := <-w.c:
			if !open {
				w.cleanup.Stop()
				s.closeFromChan()
				return
			}
			s.sendFromChan(w, m)
		case <-w.ending:
			s.lastWrites(w)
			return
		}
	}
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
	s.flushHere(limit.Policy == PolicyFixed) // no other goroutine is needed for it, unless we must not wait
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
	s.w.end()
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
				w.cleanup.Stop()
				s.seal()
				return
			}
			s.enqueueChecked(m)
			continue
		default:
		}
		break
	}
	s.seal()
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
