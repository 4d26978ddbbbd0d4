package session

import (
	"context"

	"github.com/netasync/netasync/internal/resume"
)

// This is how an accepted session with Resume gets its further connections. A Claim ends the
// connection that there is, waits until that is over, and makes the session connecting; Attach
// follows, or Unclaim. Claims are told apart by the numbers of their connections, of which the largest
// counts.

// claim is Driver.Claim.
func (s *Session) claim(
	ctx context.Context, number, received uint64, peer resume.Keep,
) (ours uint64, err error) {
	s.mu.Lock()
	r := s.resume
	if number <= r.number {
		s.mu.Unlock()
		return 0, resume.ErrStale
	}
	r.number = number
	r.lookAgain() // a Claim before this one is stale
	if c := s.conn; c != nil && s.phase == open {
		s.detach(ErrTakenOver)
		s.settle()
		c.link.Close()
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	for r.number == number && !s.claimable() { // mu was, and is, free meanwhile
		if err = s.awaitClaimable(ctx); err != nil {
			return 0, err
		}
	}
	if r.number != number { // a later one has come
		return 0, resume.ErrStale
	}
	k := s.out.kept
	if !resume.Plausible(received, k.acked, k.acked+uint64(k.begun)) {
		return 0, resume.ErrImplausible
	}
	if s.state == StateDisconnected {
		s.to(StateConnecting)
	}
	s.carryOn(received)
	r.peer = peer
	return r.received, nil
}

// claimable reports whether the session waits for a connection: all that belongs to the one before is
// over. The caller holds mu.
func (s *Session) claimable() bool {
	waits := s.state == StateDisconnected || s.state == StateConnecting
	return waits && s.conn == nil && s.phase == open && !s.writing
}

// awaitClaimable waits until the session may be claimable. The caller holds mu, which is free
// meanwhile.
func (s *Session) awaitClaimable(ctx context.Context) error {
	r := s.resume
	if s.phase != open {
		return resume.ErrGone
	}
	if r.claims == nil {
		r.claims = make(chan struct{})
	}
	claims := r.claims
	s.mu.Unlock()
	err := waitFor(ctx, claims)
	s.mu.Lock()
	return err
}

// lookAgain tells claims that something has changed. The caller holds mu.
func (r *resumption) lookAgain() {
	if r != nil && r.claims != nil {
		close(r.claims)
		r.claims = nil
	}
}

// unclaim is Driver.Unclaim.
func (s *Session) unclaim(number uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.resume.number == number && s.state == StateConnecting && s.conn == nil && s.phase == open {
		s.to(StateDisconnected)
		s.dial.Redial(s.proven, err)
	}
}

// abandon is Driver.Abandon.
func (s *Session) abandon(number uint64, err error) bool {
	s.mu.Lock()
	if s.resume != nil && s.resume.number > number {
		s.mu.Unlock()
		return false
	}
	s.abortWith(err)
	s.settle()
	return true
}

// expire is Driver.Expire.
func (s *Session) expire(due func() bool) bool {
	s.mu.Lock()
	if s.state != StateDisconnected || due != nil && !due() {
		s.mu.Unlock()
		return false
	}
	s.abortWith(ErrResumeExpired)
	s.settle()
	return true
}
