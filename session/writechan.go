package session

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync/internal/chanclosed"
	"github.com/netasync/netasync/internal/weakchan"
)

// writeChan is the channel in front of the outbound queue.
type writeChan struct {
	c      chan []byte          // the user sends and closes
	ending chan struct{}        // closed by settle when the session refuses messages
	asks   chan chan<- struct{} // Flush asks the pump to close what it sends when all that c holds is queued
	ended  chan struct{}        // closed by the pump when it ends
	late   lateSends            // counted for this session
	group  *Group               // which counts them, too

	hint chanclosed.Hint // whether the user has closed c, where a receive does not tell
	look *time.Timer     // when the pump looks at the hint; the pump's own, made when first needed
}

// WriteChan returns the channel of messages to the peer, always the same one. The user may close
// it, which means Close; the library never does. While the write buffer is full that is noticed
// within about a quarter of a second, as package internal/chanclosed describes, or with releases of
// Go that this does not know, when there is room again. Close is noticed at once. A send gives the
// payload away, which must therefore not be one that an OnEvent callback was lent. Messages that
// Send would refuse are ignored and counted in Stats, and so is all that comes after the session has
// closed: a send never panics, nor does it hang for ever. Before the write buffer, the channel itself
// holds as many messages as its capacity says, however large they are: see [Buffer]. Messages by one
// way of sending keep their order; a Send may overtake what was put into the channel before it.
func (s *Session) WriteChan() chan<- []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		s.w = &writeChan{
			c:      make(chan []byte, s.cfg.WriteBuffer.slots(s.cfg.MaxPayload)),
			ending: make(chan struct{}),
			asks:   make(chan chan<- struct{}),
			ended:  make(chan struct{}),
			late:   new(atomic.Uint64), group: s.cfg.Group,
		}
		s.w.hint = chanclosed.Of(s.w.c)
		if s.phase == open {
			go s.pumpWrites(s.w)
		} else {
			close(s.w.ended)
			s.w.drain()
		}
	}
	return s.w.c
}

// pumpWrites moves messages from the channel to the queue until the session ends or the user
// closes the channel.
func (s *Session) pumpWrites(w *writeChan) {
	defer close(w.ended)
	for {
		select {
		case m, isOpen := <-w.c:
			if !isOpen || !s.sendFromChan(w, m) {
				s.seal()
				return
			}
		case queued := <-w.asks:
			isOpen := s.sendHeld(w)
			close(queued)
			if !isOpen {
				s.seal()
				return
			}
		case <-w.ending:
			if s.queueLast(w) {
				w.drain()
			}
			s.seal()
			return
		}
	}
}

// seal says that nothing more will be queued: the pump has brought what the channel held. If the
// user has closed the channel, that closes the session.
func (s *Session) seal() {
	s.mu.Lock()
	s.beginEnding()
	s.phase = max(s.phase, sealed)
	s.settle()
}

// sendFromChan queues a message and those behind it in the channel, and writes them together. It
// reports whether the channel is open.
func (s *Session) sendFromChan(w *writeChan, m []byte) (isOpen bool) {
	s.mu.Lock()
	seemsClosed := false
	if s.check(m) == nil { // what is refused needs no room, and must not use up a wake-up
		seemsClosed = s.awaitRoomOrClose(w)
	}
	s.enqueueChecked(m)
	if isOpen = true; seemsClosed {
		isOpen = s.enqueueAll(w)
	} else {
		s.enqueueBehind(w)
	}
	c := s.queuedBy(atEnd)
	s.mu.Unlock()
	s.flush(c, false) // a pump that waited for the link here would not hear of the end
	if seemsClosed && isOpen {
		chanclosed.Distrust()
	}
	return isOpen
}

// Pauses between two looks at the hint, while the pump waits for room.
const (
	firstLook = 10 * time.Millisecond
	lastLook  = 250 * time.Millisecond
)

// awaitRoomOrClose waits until there is room, the session is ending, or the user seems to have
// closed the channel, which it reports. Only the pump calls it. The caller holds mu, which is free
// while it waits.
func (s *Session) awaitRoomOrClose(w *writeChan) (seemsClosed bool) {
	pause := firstLook
	for s.refusal() == nil && !s.hasRoom() {
		if w.hint.Closed() {
			return true
		}
		c := s.out.room.arm()
		s.queuedBy(stuck)
		s.yieldTurn()
		s.mu.Unlock()
		if w.waitOrLook(c, pause) {
			pause = min(2*pause, lastLook)
		}
		s.mu.Lock()
		s.out.room.disarm()
	}
	if s.refusal() != nil {
		s.out.room.wake() // the news is for the others that wait, too
	}
	return false
}

// waitOrLook waits for a wake-up, or until it is time to look at the hint, which it reports.
func (w *writeChan) waitOrLook(woken <-chan struct{}, pause time.Duration) (look bool) {
	if !w.hint.Known() {
		<-woken
		return false
	}
	if w.look == nil {
		w.look = time.NewTimer(pause)
	} else {
		w.look.Reset(pause)
	}
	select {
	case <-woken:
		w.look.Stop()
		return false
	case <-w.look.C:
		return true
	}
}

// sendHeld queues what the channel holds at the moment, and reports whether it is open as far as that
// was found out. If not, the pump's next receive says so.
func (s *Session) sendHeld(w *writeChan) (isOpen bool) {
	for range len(w.c) {
		select {
		case m, more := <-w.c:
			if more && !s.sendFromChan(w, m) {
				return false
			}
		default: // sendFromChan has taken more than one
		}
	}
	return true
}

// enqueueBehind queues what comes next from the channel, as long as there is room. When the channel
// is empty it yields once if more is likely to come, since further messages were there or the user
// has unread events to answer: one write carries many messages. In a conversation of one message at
// a time that would only lose time: the event loop may be next, and wait for the answer. By
// measurement, at 100 × 100 × 16 B the yield is worth 25 %, and in a conversation it costs as much.
// The caller holds mu, which is free while it yields.
func (s *Session) enqueueBehind(w *writeChan) {
	limit := &s.cfg.WriteBuffer
	yielded := len(w.c) == 0 && !s.in.unreadInChan()
	for s.phase == open && !limit.full(s.out.messages, s.out.bytes) {
		select {
		case m, isOpen := <-w.c:
			if !isOpen {
				return // the pump's next receive says so again
			}
			s.enqueueChecked(m)
			yielded = false
		default:
			if yielded {
				return
			}
			yielded = true
			s.mu.Unlock()
			runtime.Gosched()
			s.mu.Lock()
		}
	}
}

// enqueueChecked queues a message, or counts one that cannot be sent. The caller holds mu.
func (s *Session) enqueueChecked(m []byte) {
	if s.phase >= sealed || s.down() || s.check(m) != nil {
		s.stats.accepted++
		s.stats.discarded++
		return
	}
	s.enqueue(m)
}

// queueLast queues what the channel holds when the session ends, past the bounds if need be. It
// reports whether the user may go on sending, since the channel is not closed.
func (s *Session) queueLast(w *writeChan) (mayGoOn bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enqueueAll(w)
}

// enqueueAll queues what the channel holds, past the bounds if need be. It reports whether the
// channel is open: a closed one holds no more than its capacity, and then says so. The caller holds
// mu.
func (s *Session) enqueueAll(w *writeChan) (isOpen bool) {
	for range cap(w.c) + 1 {
		select {
		case m, isOpen := <-w.c:
			if !isOpen {
				return false
			}
			s.enqueueChecked(m)
		default:
			return true
		}
	}
	return true
}

// drain throws away what is sent from now on.
func (w *writeChan) drain() {
	late, group := w.late, w.group
	weakchan.Drain(w.c, func(n int) {
		late.Add(uint64(n))
		group.discardedLate(n)
	})
}

// lateSends counts the messages that were thrown away after the end. It is an object of its own,
// so that what counts them keeps no session.
type lateSends = *atomic.Uint64
