package session

import "context"

// flushing is a Flush that waits: for the first messages of the queue.
type flushing struct {
	left int           // that have not left the queue
	err  error         // why they never will be sent
	done chan struct{} // closed by outbox when nothing is left, or err is set
	next *flushing
}

// Flush waits until all messages that were accepted before the call were given to the operating
// system: those of Send, SendBatch and TrySend, and those that were put into WriteChan. It does not
// say that the peer has them, but with Resume it does: it waits until the peer's session has acknowledged
// them, over any number of connections, and asks it to do so at once. Several messages go by one write, up to 64 KiB of small ones: that has
// to be over, so that a few messages behind may be waited for, too. Messages that a lossy buffer drops
// meanwhile are not waited for any longer. While the session has no connection, Flush waits for the
// next one.
//
// The error is ErrClosed, and wraps the Err of the Closed event, if the session closed with messages
// that were never sent, or with Resume may not have arrived; ErrNotConnected if messages were handed
// back meanwhile, see WhileDown; ErrResumeExpired if some may be lost since the peer does not know the
// session any more, see Event.Lost; and ctx's error if that ends first, which changes nothing for the
// messages. An event loop must not wait: do not call Flush from an Inline callback, nor from Hello.
func (s *Session) Flush(ctx context.Context) error {
	if err := s.awaitPump(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	if s.state == StateClosed {
		defer s.mu.Unlock()
		if !s.out.lost {
			return nil
		}
		return s.closedError()
	}
	f := s.out.beginFlush()
	c := s.queuedBy(atEnd) // what is corked must not wait for us
	s.mu.Unlock()
	s.flush(c, false)
	err := waitFor(ctx, f.done)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out.endFlush(f) {
		return f.err
	}
	return err
}

// beginFlush returns a flushing for all that is queued. The caller calls endFlush.
func (o *outbox) beginFlush() *flushing {
	f := &flushing{left: o.messages + o.kept.unacked(), done: make(chan struct{})}
	if f.left == 0 {
		close(f.done)
		return f
	}
	if o.kept != nil {
		o.kept.control.ask = true
	}
	f.next, o.flushes = o.flushes, f
	return f
}

// endFlush gives a flushing up, and reports whether it was done.
func (o *outbox) endFlush(f *flushing) (done bool) {
	for at := &o.flushes; *at != nil; at = &(*at).next {
		if *at == f {
			*at = f.next
			return false
		}
	}
	return true
}

// gone says that n messages have left the queue, which were behind so many others.
func (o *outbox) gone(n, others int) {
	for at := &o.flushes; *at != nil; {
		f := *at
		f.left -= max(0, min(n, f.left-others))
		if f.left > 0 {
			at = &f.next
			continue
		}
		*at = f.next
		close(f.done)
	}
}

// failFlushes ends all flushings that wait for more than the first so many messages: what is behind
// those will not be sent.
func (o *outbox) failFlushes(err error, others int) {
	for at := &o.flushes; *at != nil; {
		f := *at
		if f.left <= others {
			at = &f.next
			continue
		}
		*at = f.next
		f.err = err
		close(f.done)
	}
}

// awaitPump waits until all that WriteChan holds is queued.
func (s *Session) awaitPump(ctx context.Context) error {
	s.mu.Lock()
	w := s.w
	s.mu.Unlock()
	if w == nil {
		return nil
	}
	queued := make(chan struct{})
	select {
	case w.asks <- queued:
	case <-w.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-queued:
	case <-w.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
