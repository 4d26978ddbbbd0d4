package session

import (
	"errors"
	"io"
	"time"
)

// attach is Driver.Attach.
func (s *Session) attach(link Link) *Receiver {
	local, remote := link.Addrs()
	s.mu.Lock()
	if s.closing || !s.state.to(StateConnected) {
		s.mu.Unlock()
		return nil
	}
	s.epoch++
	s.link, s.cause, s.writeErr, s.proven = link, nil, nil, false
	s.local, s.remote = local, remote
	s.opened = s.now()
	s.lastRead.Store(s.opened)
	s.lastWrite.Store(s.opened)
	s.in.begin(Event{Kind: Connected, Epoch: s.epoch})
	r := newReceiver(s, s.epoch)
	s.startFlush()
	if !s.ticking { // under mu: the host must not hear of it after it was told to forget the session
		s.ticking = true
		s.cfg.Host.Tick(Drive(s), time.Now().Add(s.cfg.HeartbeatPeriod))
	}
	s.mu.Unlock()
	if !s.cfg.Inline {
		s.dispatch()
	}
	return r
}

// fail ends the connection of the given epoch; nil means that it ended as
// planned. Whoever finds out first calls it, later calls do nothing.
func (s *Session) fail(epoch uint64, err error) {
	s.mu.Lock()
	if s.link == nil || s.epoch != epoch {
		s.mu.Unlock()
		return
	}
	if s.finishing && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		err = nil // the peer answers our goodbye
	}
	link := s.link
	s.link, s.cause = nil, err
	s.in.stop()
	if !s.out.flushing {
		s.settle()
	} else {
		s.mu.Unlock() // a writer is at work: closing the link frees it, and it settles
	}
	link.Close()
}

// settle turns a lost connection into Disconnected or Closed, once nobody
// writes to it any more, so that what remains is known. The caller holds mu,
// and loses it.
func (s *Session) settle() {
	if s.state.now != StateConnected {
		s.mu.Unlock()
		return
	}
	again := s.out.rewind(s.cfg.Format)
	if s.dial == nil || s.closing {
		s.end(s.cause)
		return
	}
	if again > 0 {
		s.stats.dropped += uint64(s.out.trim(s.cfg.Format, &s.cfg.WriteBuffer))
	}
	proven := s.proven || s.now()-s.opened >= int64(s.cfg.HeartbeatPeriod)
	s.state.to(StateDisconnected)
	s.in.lifecycle(Event{Kind: Disconnected, Err: s.cause, Epoch: s.epoch, Queued: s.out.messages})
	// Under mu: a Close from now on finds callbacks and dialing under way, and
	// so does the shutdown that waits for them after it.
	s.dispatch()
	s.dial.Redial(proven, s.cause)
	s.mu.Unlock()
}

// dialing is Driver.Dialing.
func (s *Session) dialing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.state.now == StateClosed {
		return false
	}
	s.stats.attempts++
	if s.state.now == StateDisconnected {
		s.state.to(StateConnecting)
	}
	return true
}

// dialFailed is Driver.DialFailed.
func (s *Session) dialFailed(err error) {
	s.mu.Lock()
	if s.state.now != StateConnecting || s.doomed {
		s.mu.Unlock()
		return
	}
	s.state.to(StateDisconnected)
	news := s.epoch == 0 && s.cause == nil
	s.cause = err
	if news {
		s.in.lifecycle(Event{Kind: Disconnected, Err: err, Queued: s.out.messages})
	}
	s.mu.Unlock()
	if news {
		s.dispatch()
	}
}

// Close ends the session gracefully and returns at once: new messages are
// refused, what is queued is flushed for up to Linger, then comes the Closed
// event; wait for that, or for Done. Without a connection there is nothing to
// flush to, also before the first: then Closed comes at once, and its Queued
// tells what was lost. It always returns nil.
func (s *Session) Close() error {
	s.mu.Lock()
	if !s.beginClose() {
		s.mu.Unlock()
		return nil
	}
	if s.w != nil {
		s.endWrites() // its pump brings what the channel still holds, and seals
		s.mu.Unlock()
		return nil
	}
	s.seal()
	return nil
}

// beginClose refuses new messages and starts the linger time. It reports false
// if that was done before. The caller holds mu.
func (s *Session) beginClose() bool {
	if s.closing || s.state.now == StateClosed {
		return false
	}
	s.closing = true
	s.out.room.wake()
	if link, epoch := s.link, s.epoch; link != nil {
		s.linger = &linger{
			end:   time.Now().Add(s.cfg.Linger),
			timer: time.AfterFunc(s.cfg.Linger, func() { s.fail(epoch, ErrLinger) }),
		}
	}
	return true
}

// seal says that no more messages will be queued, so that the flush has an
// end. The caller holds mu, and loses it.
func (s *Session) seal() {
	s.sealed = true
	switch {
	case s.doomed:
		s.cutOff(s.cause)
	case s.link == nil && !s.out.flushing:
		s.close(nil)
	case s.writeErr != nil:
		epoch, err := s.epoch, s.writeErr.err
		s.mu.Unlock()
		s.fail(epoch, err)
	case s.out.flushing: // who writes will see it
		s.mu.Unlock()
	default:
		s.out.flushing = true
		go s.flushFn()
		s.mu.Unlock()
	}
}

// abort is Driver.Abort.
func (s *Session) abort(err error) {
	s.mu.Lock()
	s.beginClose()
	if s.awaitSeal(err) {
		s.mu.Unlock()
		return
	}
	s.cutOff(err)
}

// cutOff is abort when all that will never be sent is known. The caller holds mu, and loses it.
func (s *Session) cutOff(err error) {
	switch epoch := s.epoch; {
	case s.link != nil:
		s.mu.Unlock()
		s.fail(epoch, err)
	case s.out.flushing: // settle is on its way
		s.mu.Unlock()
	default:
		s.close(err)
	}
}

// end closes the session, whose connection is over. The caller holds mu, and loses it.
func (s *Session) end(err error) {
	s.closing = true
	s.out.room.wake()
	if s.awaitSeal(err) {
		s.mu.Unlock()
		return
	}
	s.close(err)
}

// awaitSeal reports whether the write channel may still hold messages: then its pump brings
// them, so that they count as not sent, and seals, which ends the session. The caller holds mu.
func (s *Session) awaitSeal(err error) bool {
	if s.w == nil || s.w.dropped != nil || s.sealed {
		return false
	}
	if !s.doomed {
		s.doomed, s.cause = true, err
	}
	s.endWrites()
	return true
}

// close moves to the final state: Closed is the last event. The caller holds
// mu, and loses it.
func (s *Session) close(err error) {
	if !s.state.to(StateClosed) {
		s.mu.Unlock()
		return
	}
	s.closing = true
	queued := s.out.messages
	s.out.pending, s.out.inflight = nil, nil
	if s.linger != nil {
		s.linger.timer.Stop()
	}
	if s.w != nil {
		s.endWrites()
		s.cfg.Host.Chans().giveBack(writeSlots, &s.cfg.WriteBuffer, cap(s.w.c))
	}
	if s.dial != nil || s.epoch > 0 {
		s.in.lifecycle(Event{Kind: Closed, Err: err, Epoch: s.epoch, Queued: queued})
	} else { // the user has not heard of it
		s.in.end()
	}
	s.in.mu.Lock()
	s.quitWhenDropped()
	s.cfg.Host.Chans().giveBack(readSlots, s.in.limit, cap(s.in.out))
	s.in.mu.Unlock()
	if s.done != nil {
		close(s.done)
	}
	s.out.room.wake()
	s.mu.Unlock()
	s.dispatch()
	if s.dial != nil {
		s.dial.Stop()
	}
	if s.onClosed != nil {
		s.onClosed()
	}
	s.cfg.Host.Forget(Drive(s))
}

// undelivered is Driver.Undelivered.
func (s *Session) undelivered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.messages
}
