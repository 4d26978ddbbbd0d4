package session

import (
	"errors"
	"io"
	"sync"

	"github.com/netasync/netasync/codec"
)

const (
	// blockBytes is the size up to which the small payloads of one read share a
	// block of memory: one allocation for many messages.
	blockBytes = 4 << 10
	// scratchEvents is how many messages are queued under one lock.
	scratchEvents = 256
)

// Receiver is the receiving end of one connection: it cuts what the link reads
// into messages. Its methods are for the one goroutine that reads.
type Receiver struct {
	s      *Session
	epoch  uint64
	dec    codec.Decoder
	proven bool
}

func newReceiver(s *Session, epoch uint64) *Receiver {
	r := &Receiver{s: s, epoch: epoch, dec: codec.NewDecoder(s.cfg.Format, s.cfg.MaxPayload)}
	if s.cfg.Inline {
		r.dec.Reuse(&inlinePayloads)
	}
	return r
}

// inlinePayloads is memory for payloads that are too large for one read, of Inline
// sessions: their callbacks do not keep them.
var inlinePayloads codec.Buffers

var scratches = sync.Pool{New: func() any { s := make([]Event, 0, scratchEvents); return &s }}

// Feed takes bytes as they come and does not keep p. It returns those that
// found no room: they are to be fed again after Wait. leave says that the
// session is no longer one for an event loop, because its user is slower than
// its peer. After an error the link is to be ended with it. Bytes of a connection that is over are thrown away.
//
// onLoop says that the caller is an event loop, which must not block.
func (r *Receiver) Feed(p []byte, onLoop bool) (rest []byte, leave bool, err error) {
	r.s.lastRead.Store(r.s.sinceBorn())
	if r.s.cfg.Inline {
		return r.feedInline(p, onLoop)
	}
	rest, err = r.feedQueue(p)
	return rest, len(rest) > 0, err
}

// Wait blocks until Feed may find room again, or the connection is over.
func (r *Receiver) Wait() {
	r.s.in.wait(r.epoch)
	r.resume()
}

// resume ends a time in which we did not read: first the silence is forgiven,
// then we count as reading. Tick looks at these two in the other order.
func (r *Receiver) resume() {
	r.s.in.resume(r.epoch, func() { r.s.lastRead.Store(r.s.sinceBorn()) })
}

// CaughtUp reports whether the user has taken all that was received, and the
// peer what was sent, so that an event loop could serve the session again.
func (r *Receiver) CaughtUp() bool {
	if !r.s.in.caughtUp() {
		return false
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.s.hasRoom()
}

// HoldWriting keeps everybody from writing while the link moves; it fails if
// somebody writes at this moment. ReleaseWriting ends that.
func (r *Receiver) HoldWriting() bool { return r.s.tryHoldWriting() }

// ReleaseWriting writes what has gathered since HoldWriting.
func (r *Receiver) ReleaseWriting() { go r.s.flushFn() }

// End says that the link has ended: io.EOF if the peer closed it. An end
// within a frame is io.ErrUnexpectedEOF, never a clean one.
func (r *Receiver) End(err error) {
	if errors.Is(err, io.EOF) {
		err = io.EOF
		if !r.dec.Idle() {
			err = io.ErrUnexpectedEOF
		}
	}
	r.s.fail(r.epoch, err)
}

// feedQueue moves messages into the inbox while there is room.
func (r *Receiver) feedQueue(p []byte) (rest []byte, err error) {
	scratch := scratches.Get().(*[]Event)
	defer scratches.Put(scratch)
	for len(p) > 0 && err == nil {
		messages, size, current := r.s.in.space(r.epoch)
		if !current {
			return nil, nil
		}
		if messages == 0 {
			rest = p
			break
		}
		events := (*scratch)[:0]
		events, p, err = r.decode(events, p, min(messages, scratchEvents), size)
		*scratch = r.s.in.accept(r.epoch, events)
	}
	r.s.dispatch()
	return rest, err
}

// decode cuts messages off p until there are enough of them, or of their
// bytes, and returns what is left of p.
func (r *Receiver) decode(events []Event, p []byte, messages, size int) ([]Event, []byte, error) {
	var block []byte
	for len(p) > 0 && len(events) < messages && size > 0 {
		f, n, complete, err := r.dec.Next(p)
		if err != nil {
			return events, nil, err
		}
		if !complete {
			return events, nil, nil
		}
		r.prove()
		if len(f.Payload) > 0 {
			if f.Borrowed {
				f.Payload, block = own(f.Payload, block, len(p))
			}
			size -= len(f.Payload)
			events = append(events, Event{Kind: Message, Payload: f.Payload, Epoch: r.epoch})
		}
		p = p[n:]
	}
	return events, p, nil
}

// own copies a borrowed payload, a small one to the block that those of the
// same read share; left is how many bytes of the read there are.
func own(payload, block []byte, left int) (owned, rest []byte) {
	n := len(payload)
	if n > blockBytes/4 {
		return append([]byte(nil), payload...), block
	}
	if len(block) < n {
		block = make([]byte, max(n, min(left-left/8, blockBytes)))
		if left < 2*n {
			block = block[:n]
		}
	}
	copy(block, payload)
	return block[:n:n], block[n:]
}

// prove notes, once a connection, that the peer speaks our framing.
func (r *Receiver) prove() {
	if r.proven {
		return
	}
	r.proven = true
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.s.epoch == r.epoch {
		r.s.proven = true
	}
}
