package session

import (
	"bytes"
	"context"
)

// Send queues a message and takes ownership of payload. While the write buffer
// is full it waits, until ctx ends. It returns ErrClosed once the session is
// closing, ErrEmptyMessage and ErrFrameTooLarge for payloads that cannot be
// sent; nil means queued, not received.
//
// An OnEvent callback may give the payload of its event to Send of the same
// session; to send it elsewhere, it clones it. In an Inline callback on the
// event loop Send to the callback's own session does not wait, and what one callback sends may pass
// the write buffer; to another session it does, and holds the loop up: use TrySend.
func (s *Session) Send(ctx context.Context, payload []byte) error {
	if err := s.check(payload); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closing || s.turn != turnLoop && !s.hasRoom() {
		if err := s.awaitRoom(ctx); err != nil {
			s.mu.Unlock()
			return err
		}
	}
	s.enqueue(payload)
	s.flushSent()
	return nil
}

// awaitRoom waits until a message may be queued. The caller holds mu, which is
// free while it waits.
func (s *Session) awaitRoom(ctx context.Context) error {
	for !s.closing && s.turn != turnLoop && !s.hasRoom() {
		s.startFlush() // what waits for company must not wait for us
		c := s.out.room.arm()
		s.mu.Unlock()
		err := waitFor(ctx, c)
		s.mu.Lock()
		s.out.room.disarm()
		if err != nil {
			s.out.room.wake() // the wake-up may have been meant for us
			return err
		}
	}
	if s.closing {
		s.out.room.wake() // the news is for the others who wait, too
		return ErrClosed
	}
	return nil
}

// TrySend is Send that returns ErrQueueFull instead of waiting.
func (s *Session) TrySend(payload []byte) error {
	if err := s.check(payload); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return ErrClosed
	}
	if !s.hasRoom() {
		s.startFlush()
		s.mu.Unlock()
		return ErrQueueFull
	}
	s.enqueue(payload)
	s.flushSent()
	return nil
}

// check refuses what cannot be a frame.
func (s *Session) check(payload []byte) error {
	if len(payload) == 0 {
		return ErrEmptyMessage
	}
	if len(payload) > s.cfg.MaxPayload {
		return ErrFrameTooLarge
	}
	return nil
}

// hasRoom reports whether a message may be queued now. Lossy policies always
// find room. The caller holds mu.
func (s *Session) hasRoom() bool {
	limit := &s.cfg.WriteBuffer
	return limit.Policy != PolicyFixed || !limit.full(s.out.messages, s.out.bytes)
}

// enqueue adds a message, after a lossy policy had its say. The caller holds
// mu, and starts a flush when it has no more.
func (s *Session) enqueue(payload []byte) {
	if s.cfg.WriteBuffer.Policy != PolicyFixed && !s.applyPolicy() {
		return
	}
	if len(payload) > copyLimit && (s.turn == turnLink || s.turn == turnLoop && !s.turnCorked) {
		payload = bytes.Clone(payload) // it may be borrowed, and is written later
	}
	s.out.add(s.cfg.Format, payload)
	if limit := &s.cfg.WriteBuffer; s.turn == turnLoop && (s.out.bytes >= limit.Bytes || s.out.messages >= max(limit.Cap, turnMessages)) {
		s.turnFull.Store(true)
	}
	if s.out.room.waiting > 0 && s.hasRoom() {
		s.out.room.wake()
	}
}

// applyPolicy makes room in what is pending by dropping the oldest, or reports
// that the newest is to be dropped. The caller holds mu.
func (s *Session) applyPolicy() bool {
	o, limit := &s.out, &s.cfg.WriteBuffer
	for messages, bytes := o.waiting(); messages > 0 && limit.full(messages, bytes); messages, bytes = o.waiting() {
		s.stats.dropped++
		if limit.Policy == PolicyDropping {
			return false
		}
		o.dropOldest(s.cfg.Format)
	}
	return true
}
