package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/session"
)

const (
	// heldMessages and heldBytes bound what is sent to a name while its mailbox is emptied.
	heldMessages = 128
	heldBytes    = 1 << 20
	// roomPatience is how long a worker waits for room in a session's WriteBuffer.
	roomPatience = 20 * time.Millisecond
)

// hold keeps messages of Send back until what was in the mailbox before is on its way.
type hold struct {
	mu      sync.Mutex // guards all below; a leaf
	over    bool
	waiting [][]byte
	bytes   int
}

// trySend gives a message of Send to the session, or to the queue that goes to it soon.
func (c *Claim) trySend(payload []byte) error {
	if c.mail != nil {
		if held, err := c.mail.hold.add(c.session, payload); held {
			return err
		}
	}
	return c.session.TrySend(payload)
}

// add keeps a message back, and reports false if none is any more.
func (h *hold) add(s *netasync.Session, payload []byte) (held bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return false, nil
	}
	if err := session.Drive(s).Refusal(payload); err != nil {
		return true, err // which nobody could be told later
	}
	if len(h.waiting) >= heldMessages || h.bytes >= heldBytes {
		return true, netasync.ErrQueueFull
	}
	h.waiting = append(h.waiting, payload)
	h.bytes += len(payload)
	return true, nil
}

// release sends what was held back, and ends that. It reports false if the session has no room for
// all: then it is to be called again. A message that the session does not take, as it has begun to close
// since, is dropped: none waits for the answer any more.
func (h *hold) release(ctx context.Context, s *netasync.Session) (done bool) {
	ctx, cancel := context.WithTimeout(ctx, roomPatience)
	defer cancel()
	for {
		batch := h.take()
		if batch == nil {
			return true
		}
		sent, err := s.SendBatch(ctx, batch)
		if err == nil {
			continue
		}
		if ctx.Err() == nil {
			sent++ // it was not for want of room
		}
		h.putBack(batch[sent:])
		if ctx.Err() != nil {
			return false
		}
	}
}

// open reports whether messages may still be kept back.
func (h *hold) open() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.over
}

// take takes all that waits. If that is nothing, nothing waits from now on.
func (h *hold) take() (batch [][]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		h.over = true
		return nil
	}
	batch, h.waiting, h.bytes = h.waiting, nil, 0
	return batch
}

func (h *hold) putBack(batch [][]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = append(batch, h.waiting...)
	for _, payload := range batch {
		h.bytes += len(payload)
	}
}
