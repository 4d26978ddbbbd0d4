package session

import (
	"errors"
	"io"

	"github.com/netasync/netasync/codec"
)

// The small messages of one read share a block of memory: one allocation and
// one copy for many. What belongs to the user may be kept, and then keeps its block: a few bytes
// a small one. What is lent to callbacks is not kept, and Send copies it if it is small.
var (
	smallRun  = codec.Limits{Bytes: 4 << 10, Largest: 1 << 10}
	mediumRun = codec.Limits{Bytes: 16 << 10, Smallest: 256, Largest: 4 << 10}
	lentRun   = codec.Limits{Bytes: mostLent, Largest: copyLimit}
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
	r.dec.Reuse(&assembling)
	return r
}

// assembling is memory for payloads that are too large for one read. Inline callbacks
// get it as it is, since they do not keep it; others get a copy, which is cheaper than
// to let it grow, and to clear it, for every payload.
var assembling codec.Buffers

// Feed takes bytes as they come and does not keep p. It returns those that
// found no room: they are to be fed again after Wait. leave says that the
// session is no longer one for an event loop, because its user is slower than
// its peer. After an error the link is to be ended with it. Bytes of a connection that is over are thrown away.
//
// onLoop says that the caller is an event loop, which must not block.
func (r *Receiver) Feed(p []byte, onLoop bool) (rest []byte, leave bool, err error) {
	r.s.lastRead.Store(r.s.now())
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
	r.s.in.resume(r.epoch, func() { r.s.lastRead.Store(r.s.now()) })
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
	for len(p) > 0 && err == nil {
		messages, size, current := r.s.in.space(r.epoch)
		if !current {
			return nil, nil
		}
		if messages == 0 {
			rest = p
			break
		}
		p, current, err = r.next(p, messages, size)
		if !current {
			return nil, nil
		}
	}
	r.s.dispatch()
	return rest, err
}

// next queues what comes first in p: a run of small messages, or one message, or
// a part of one. It returns what is behind it, and whether the connection is still current.
func (r *Receiver) next(p []byte, messages, size int) (rest []byte, current bool, err error) {
	if run := r.lookAhead(p, messages, size); run.Frames > 0 {
		r.prove()
		return p[len(run.Bytes):], r.s.in.accept(r.run(run), run.Payload), nil
	}
	f, n, complete, err := r.dec.Next(p)
	if err != nil || !complete {
		return nil, true, err
	}
	r.prove()
	if len(f.Payload) == 0 {
		return p[n:], true, nil
	}
	payload := f.Payload
	if f.Borrowed || assembling.Keeps(payload) {
		payload = payloads.clone(payload)
	}
	if !f.Borrowed {
		assembling.Put(f.Payload)
	}
	return p[n:], r.s.in.accept(item{data: payload, epoch: r.epoch}, len(payload)), nil
}

// lookAhead returns the run at the beginning of p that is to share memory.
func (r *Receiver) lookAhead(p []byte, messages, size int) codec.Run {
	within := func(most codec.Limits) codec.Run {
		most.Frames, most.Payload = messages, size
		return r.dec.Run(p, most)
	}
	if r.lends() {
		return within(lentRun)
	}
	if r.s.cfg.ReadBuffer.Policy == PolicyFixed { // others keep messages one by one
		if run := within(mediumRun); len(run.Bytes) > smallRun.Bytes {
			return run
		}
	}
	return within(smallRun)
}

// lends reports whether runs are lent to callbacks. A lossy policy keeps messages
// one by one, each of which would hold its whole block.
func (r *Receiver) lends() bool {
	return r.s.cfg.OnEvent != nil && r.s.cfg.ReadBuffer.Policy == PolicyFixed
}

// run copies what the link lent us.
func (r *Receiver) run(run codec.Run) item {
	it := item{frames: run.Frames, epoch: r.epoch}
	if r.lends() {
		it.block = lend(run.Bytes)
		it.data = it.block.b
	} else {
		it.data = payloads.clone(run.Bytes)
	}
	return it
}

// prove notes that the peer speaks our framing.
func (r *Receiver) prove() {
	if !r.proven {
		r.proveOnce()
	}
}

// proveOnce is apart so that prove costs no call for each message.
func (r *Receiver) proveOnce() {
	r.proven = true
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.s.epoch == r.epoch {
		r.s.proven = true
	}
}
