package session

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math"

	"github.com/netasync/netasync/internal/resume"
)

// resumption is what a session with Resume knows of itself from one connection to the next. What it
// keeps of its messages is in outbox.kept. Session.mu guards it.
type resumption struct {
	accepted bool
	number   uint64      // of the last connection that was tried, or claimed
	peer     resume.Keep // what the peer keeps
	received uint64      // messages of the peer's, on the connections that are over
	heard    bool        // any frame has come on a connection

	nonce resume.Nonce // of a dialed session; zero before the first connection
	token []byte       // of a dialed session; nil: no listener knows it

	owesBye bool // a dialed session has said goodbye, and does not know whether its peer has heard it

	greeted bool // a dialed session's first words for this session of the peer's are written, or kept

	fresh bool // the next connection is of another session of the peer's than the one before
	lost  int  // messages that may not have reached that

	claims chan struct{} // closed when a Claim is to look again; nil: none waits
}

// makeResumable is Driver.Resumable.
func (s *Session) makeResumable(number uint64, peer resume.Keep) {
	s.resume = &resumption{accepted: number > 0, number: number, peer: peer}
	s.out.kept = &kept{cfg: s.cfg}
}

// dialed reports whether the session is a dialed one.
func (s *Session) dialed() bool {
	return s.dial != nil && (s.resume == nil || !s.resume.accepted)
}

// greeting is Driver.Greeting.
func (s *Session) greeting() resume.Hello {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.resume
	if r.nonce == (resume.Nonce{}) {
		_, _ = rand.Read(r.nonce[:]) // never fails
	}
	r.number++
	h := resume.Hello{
		// Who only wants to say goodbye begins no session for that.
		Only:    r.owesBye && s.saidAll(),
		Version: resume.Version, Number: r.number, Nonce: r.nonce, Keep: s.keeps(),
		Continue: r.token != nil, Token: r.token,
	}
	if h.Continue {
		h.Received = r.received
	}
	return h
}

// saidAll reports whether a new session of the peer's would get no message. The caller holds mu.
func (s *Session) saidAll() bool {
	o, k := &s.out, s.out.kept
	return o.messages == 0 && (k.messages == 0 || k.begun == k.messages && !s.cfg.ResendLost)
}

// keeps returns what is told to the peer of what we keep.
func (s *Session) keeps() resume.Keep {
	limit := &s.cfg.Unacked
	return resume.Keep{
		Messages: uint32(min(uint64(limit.Cap), math.MaxUint32)), Bytes: uint32(min(uint64(limit.Bytes), math.MaxUint32)),
	}
}

// believes is Driver.Believes.
func (s *Session) believes(w *resume.Welcome) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.checkContinued(w)
}

// checkContinued returns why the session cannot go on by a Welcome. The caller holds mu.
func (s *Session) checkContinued(w *resume.Welcome) error {
	k := s.out.kept
	most := k.acked + uint64(k.begun)
	if s.resume.token == nil || !resume.Plausible(w.Received, k.acked, most) {
		return fmt.Errorf("%w: %d, and at most %d were sent", ErrBadAck, w.Received, most)
	}
	return nil
}

// welcomed is Driver.Welcomed.
func (s *Session) welcomed(w *resume.Welcome) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.resume
	if w.Continued {
		if err := s.checkContinued(w); err != nil {
			r.forget()
			return err
		}
		s.carryOn(w.Received)
	} else {
		s.startOver()
	}
	r.token, r.peer = bytes.Clone(w.Token), w.Keep
	if r.token == nil {
		r.token = []byte{}
	}
	return nil
}

// refused is Driver.Refused.
func (s *Session) refused(code resume.Code) {
	s.mu.Lock()
	if code == resume.RefuseUnknown && s.resume.owesBye {
		s.startOver() // the peer's session has ended, by the goodbye or before
	}
	s.settle()
}

// forget makes the next connection begin a new session of the peer's. The caller holds mu.
func (r *resumption) forget() {
	r.token, r.nonce, r.number, r.owesBye = nil, resume.Nonce{}, 0, false
}

// carryOn drops what the peer has. The caller holds mu, and there is no connection.
func (s *Session) carryOn(received uint64) {
	users := s.out.kept.carryOn(received)
	s.stats.acked += uint64(users)
	s.out.gone(users, 0)
}

// startOver begins the numbers of both directions anew. The caller holds mu, and there is no
// connection.
func (s *Session) startOver() {
	r := s.resume
	before := s.out.kept.unacked()
	r.lost += s.out.kept.startOver(s.cfg.ResendLost)
	gone := before - s.out.kept.unacked()
	s.stats.lost += uint64(gone)
	if gone > 0 {
		s.out.failFlushes(ErrResumeExpired, 0)
	}
	s.bury(s.out.queued())
	r.received, r.fresh, r.owesBye, r.greeted = 0, true, false, false
}

// beginResumable begins a connection of a session with Resume, and says in its event what became of
// the one before. The caller holds mu.
func (s *Session) beginResumable(c *Conn, ev *Event) {
	r, k := s.resume, s.out.kept
	if ev.Resumed = c.epoch > 1 && !r.fresh; ev.Resumed {
		s.stats.resumed++
	} else if c.epoch > 1 {
		ev.Lost = clampInt32(r.lost)
	}
	r.fresh, r.lost = false, 0
	c.acks.base, c.acks.peer = r.received, r.peer
	c.acks.heard.Store(s.now())
	k.live = true
}

// endResumable ends a connection of a session with Resume, and returns why it ended, given what was
// found. The caller holds mu.
func (s *Session) endResumable(c *Conn, err error) error {
	r, a := s.resume, c.acks
	r.received += a.stop()
	a.tellAllAcked()
	r.heard = r.heard || c.heard.Load()
	switch {
	case !a.parted:
		return err
	case r.accepted:
		s.hope = false // the session ends with the goodbye
		return nil
	}
	r.forget()
	return err
}

func clampInt32(n int) int32 { return int32(min(n, math.MaxInt32)) }
