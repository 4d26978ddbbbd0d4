package session

import "context"

// lockedMessages is how many messages of a batch are queued before others get the lock.
const lockedMessages = 1024

// SendBatch is Send for many messages: they are queued under one lock, as far as there is room, and
// written together. It waits for room as Send does, again and again if the batch is larger than the
// write buffer. Messages of others may come in between there, and after each 1,024 of the batch.
//
// It returns how many were queued, the first ones; those it owns. The error, as of Send, is why the
// next one was not: a payload that cannot be sent stops there, and what is before it is sent.
func (s *Session) SendBatch(ctx context.Context, payloads [][]byte) (queued int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	for queued < len(payloads) && err == nil {
		n := min(len(payloads)-queued, lockedMessages)
		n, err = s.sendSome(ctx, payloads[queued:queued+n])
		queued += n
	}
	return queued, err
}

// sendSome is SendBatch for as many as may be queued under one lock.
func (s *Session) sendSome(ctx context.Context, payloads [][]byte) (queued int, err error) {
	s.mu.Lock()
	for _, payload := range payloads {
		if err = s.check(payload); err != nil {
			break
		}
		if s.phase != open || s.down() || !s.hasRoom() && !s.mayPass() {
			if err = s.awaitRoom(ctx); err != nil {
				break
			}
		}
		s.enqueue(payload)
		queued++
	}
	c := s.queuedBy(s.handOfSender())
	s.mu.Unlock()
	s.flush(c, false)
	return queued, err
}
