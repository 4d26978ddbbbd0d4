package session

import (
	"bytes"
	"context"
	"unsafe"

	"github.com/netasync/netasync/codec"
)

// Send queues a message and takes ownership of payload. While the write buffer is full it waits,
// until ctx ends. It returns ErrClosed once the session is closing, ErrNotConnected with WhileDown:
// Refuse while there is no connection, ErrEmptyMessage and ErrFrameTooLarge for payloads that cannot
// be sent; nil means queued, not received. WriteBuffer bounds exactly what is sent so; WriteChan holds
// further messages in front of it, see [Buffer].
//
// An OnEvent callback may give the payload of its event to Send of the same session; to send it
// elsewhere, it clones it. In an Inline callback on the event loop Send to the callback's own
// session does not wait, and what one callback sends may pass the write buffer; others wait
// meanwhile. To another session it does wait, and holds the loop up: use TrySend.
func (s *Session) Send(ctx context.Context, payload []byte) error {
	_, err := s.send(ctx, payload)
	return err
}

// send is Send, and returns which message it is of all that were accepted.
func (s *Session) send(ctx context.Context, payload []byte) (number uint64, err error) {
	if err := s.check(payload); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	if s.phase != open || s.down() || !s.hasRoom() && !s.mayPass() {
		if err := s.awaitRoom(ctx); err != nil {
			s.mu.Unlock()
			return 0, err
		}
	}
	s.enqueue(payload)
	number = s.stats.accepted
	if s.corked() {
		s.mu.Unlock()
		return number, nil
	}
	c := s.queuedBy(s.handOfSender())
	s.mu.Unlock()
	s.flush(c, false)
	return number, nil
}

// TrySend is Send that returns ErrQueueFull instead of waiting.
func (s *Session) TrySend(payload []byte) error {
	_, err := s.trySend(payload, false)
	return err
}

// trySend is TrySend, and returns which message it is of all that were accepted. connected says that it
// is not to wait for a connection.
func (s *Session) trySend(payload []byte, connected bool) (number uint64, err error) {
	if err := s.check(payload); err != nil {
		return 0, err
	}
	s.mu.Lock()
	err = s.refusal()
	if err == nil && connected && !s.begun() {
		err = ErrNotConnected
	}
	if err != nil {
		s.mu.Unlock()
		return 0, err
	}
	if !s.hasRoom() {
		s.queuedBy(stuck)
		s.mu.Unlock()
		return 0, ErrQueueFull
	}
	s.enqueue(payload)
	number = s.stats.accepted
	c := s.queuedBy(s.handOfSender())
	s.mu.Unlock()
	s.flush(c, false)
	return number, nil
}

// awaitRoom waits until a message may be queued. The caller holds mu, which is free while it
// waits.
func (s *Session) awaitRoom(ctx context.Context) error {
	for s.refusal() == nil && !s.hasRoom() && !s.mayPass() {
		c, passes := s.out.room.arm(), s.passesForCallback()
		s.queuedBy(stuck) // what is corked must not wait for us
		s.yieldTurn()     // nor what is queued, for the end of a turn
		s.mu.Unlock()
		err := waitForEither(ctx, c, passes)
		s.mu.Lock()
		s.out.room.disarm()
		if err != nil {
			return err // a wake-up that came meanwhile is still in the signal, for others
		}
	}
	err := s.refusal()
	if err != nil {
		s.out.room.wake() // the news is for the others that wait, too
	}
	return err
}

// check refuses what cannot be a frame.
func (s *Session) check(payload []byte) error {
	if len(payload) == 0 {
		return ErrEmptyMessage
	}
	if len(payload) > s.cfg.MaxPayload {
		return &codec.FrameTooLargeError{Length: uint64(len(payload)), Max: s.cfg.MaxPayload}
	}
	return nil
}

// hasRoom reports whether a message may be queued now. Lossy policies always find room. The
// caller holds mu.
func (s *Session) hasRoom() bool {
	limit := &s.cfg.WriteBuffer
	return limit.Policy != PolicyFixed || !limit.full(s.out.messages, s.out.bytes)
}

// enqueue adds a message, after a lossy policy had its say. The caller holds mu, and calls
// queuedBy when it has no more.
func (s *Session) enqueue(payload []byte) { s.enqueueAny(payload, nil, 0) }

// enqueueAny is enqueue, also for a message that others get, too, of a source: then the payload is m's.
func (s *Session) enqueueAny(payload []byte, m *Shared, source uint32) {
	s.stats.accepted++
	if s.cfg.WriteBuffer.Policy != PolicyFixed && !s.makeRoom() {
		return
	}
	r := s.in.runner
	switch {
	case m != nil:
		s.out.addShared(&s.cfg.Format, m, source)
	case r != nil && len(payload) > copyLimit:
		s.addLarge(r, payload)
	default:
		s.out.add(&s.cfg.Format, payload)
	}
	if r != nil && r.turn == turnLoop && s.turnIsFull() {
		r.full.Store(true)
	}
	if s.out.room.waiting > 0 && s.hasRoom() {
		s.out.room.wake()
	}
}

// addLarge adds a payload that goes by reference. One that is lent for the turn is copied, unless the
// turn itself writes, and nothing is kept. The caller holds mu.
func (s *Session) addLarge(r *runner, payload []byte) {
	lent, copied := r.lends(payload), false
	switch {
	case lent && s.out.kept != nil:
		payload, lent, copied = assembling.Clone(payload), false, true
	case lent && r.corked == nil:
		payload, lent = bytes.Clone(payload), false
	}
	s.out.add(&s.cfg.Format, payload)
	if lent {
		s.out.lend()
	}
	if copied {
		s.out.pending.large[len(s.out.pending.large)-1].copied = true
	}
}

// lends reports whether a payload is memory that is lent for the turn. Session.mu is held.
func (r *runner) lends(payload []byte) bool {
	first := uintptr(unsafe.Pointer(unsafe.SliceData(payload)))
	for _, lent := range r.lent {
		if at := uintptr(unsafe.Pointer(unsafe.SliceData(lent))); first-at < uintptr(len(lent)) {
			return true
		}
	}
	return false
}

// turnMessages is how many messages may wait to be written when a turn on an event loop goes on,
// unless the write buffer holds more: one write for many. Their bytes are bounded by the buffer's.
const turnMessages = 4096

// turnIsFull reports whether so much was sent in a turn that it has to be written before the next
// callback. The caller holds mu.
func (s *Session) turnIsFull() bool {
	limit := &s.cfg.WriteBuffer
	return s.out.bytes >= limit.Bytes || s.out.messages >= max(limit.Cap, turnMessages)
}

// makeRoom makes room in what waits by dropping the oldest, or reports that the newest is to be
// dropped. The caller holds mu.
func (s *Session) makeRoom() bool {
	o, limit := &s.out, &s.cfg.WriteBuffer
	for {
		messages, bytes := o.waiting(s.writing)
		if messages == 0 || !limit.full(messages, bytes) {
			return true
		}
		s.countDrop()
		if limit.Policy == PolicyDropping {
			return false
		}
		o.dropOldest(s.writing)
	}
}

// trim applies a lossy policy to what was in flight, too, now that it waits again: without its
// newest message, the queue is not full. The caller holds mu.
func (s *Session) trim() {
	o, limit := &s.out, &s.cfg.WriteBuffer
	if limit.Policy == PolicyFixed {
		return
	}
	for o.messages > 0 && limit.full(o.messages-1, o.bytes-int(o.newest().last().payload)) {
		s.countDrop()
		if limit.Policy == PolicyDropping {
			o.dropNewest()
		} else {
			o.dropOldest(s.writing)
		}
	}
}
