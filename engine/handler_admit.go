package engine

import (
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/session"
)

// admit makes a session of an arrival and offers it to the user. If AcceptChan is full, the arrival
// is refused: gnet cannot pause accepting, and a loop must not wait.
func (h *Handler) admit(a *arrival) error {
	if a.hello != nil {
		return h.admitAndTell(a)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.mayAccept(); err != nil {
		return err
	}
	s, err := a.begin()
	h.offer(s, err)
	return err
}

// admitAndTell is admit where the peer is told: that may block, so mu is free meanwhile, and a slot of
// AcceptChan is kept.
func (h *Handler) admitAndTell(a *arrival) error {
	h.mu.Lock()
	err := h.mayAccept()
	if err == nil {
		h.kept++
	}
	h.mu.Unlock()
	if err != nil {
		a.tellRefused(resume.RefuseFull)
		return err
	}
	s, err := a.begin()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept--
	h.offer(s, err)
	return err
}

// mayAccept returns why no session may begin. The caller holds mu.
func (h *Handler) mayAccept() error {
	if h.closed {
		return errEnded
	}
	if h.plan.OnEvent == nil && len(h.accept)+h.kept == cap(h.accept) {
		return errAcceptFull
	}
	return nil
}

// offer sends a session that has begun to AcceptChan, which has room: mu excludes other senders. The
// caller holds mu.
func (h *Handler) offer(s *session.Session, err error) {
	if err != nil || h.plan.OnEvent != nil {
		return
	}
	if h.closed {
		_ = s.Close() // the user will not hear of it
		return
	}
	h.accept <- s
	h.offered()
}
