package cluster

import (
	"errors"
	"fmt"
	"time"
)

// roomLook is how long messages whose name has moved wait for room for a stream, before it is looked
// whether it has moved on.
const roomLook = time.Second

// leftLocked goes on where an owner has said its last word. The caller holds mu.
func (s *RemoteSession) leftLocked(b *binding, f frame) {
	if s.at != b {
		return
	}
	s.at, s.sent = nil, 0
	s.moves++
	h, held := s.node.directory.holder(s.name)
	held = held && h != b.holder // it may be the same session, by another claim
	if f.next != (holder{}) && f.next != b.holder && (!held || f.next.over(h)) {
		h, held = f.next, true
	}
	s.route(h, held)
}

// route goes on with what is in the queue, none of which was sent to where it goes next. If there is no
// room for a stream it waits for that in a goroutine: at is nil meanwhile, and the queue is not empty. The
// caller holds mu.
func (s *RemoteSession) route(h holder, held bool) {
	for len(s.queue) > 0 && s.at == nil {
		var room <-chan struct{}
		var err error
		switch {
		case s.node.ctx.Err() != nil:
			err = ErrShutdown
		case !held, s.moves > maxMoves:
			err = ErrNoSession
		default:
			room, err = s.bind(h)
		}
		if room != nil {
			if s.node.links.spawn(func() { s.routeLater(h, room) }) {
				return
			}
			err = ErrShutdown
		}
		if err != nil {
			s.fate.refused(len(s.queue), err)
			s.settle(len(s.queue))
			return
		}
		if s.at != nil {
			s.at.offer()
		}
	}
}

// routeLater routes again when there may be room, and now and then, as the name may have moved on.
func (s *RemoteSession) routeLater(h holder, room <-chan struct{}) {
	timer := time.NewTimer(roomLook)
	defer timer.Stop()
	late := false
	select {
	case <-room:
	case <-timer.C:
		late = true
	case <-s.node.ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, held := s.node.directory.holder(s.name)
	if late || held && now.over(h) { // until then h may be news that has not come to the directory yet
		s.route(now, held)
	} else {
		s.route(h, true)
	}
}

// lost goes on when a link has ended. Of what was sent by it nobody knows.
func (s *RemoteSession) lost(b *binding, why error, connected bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at != b {
		return
	}
	s.fate.unknown(s.sent, why)
	s.at = nil
	s.settle(s.sent)
	s.sent, s.moves = 0, 0
	if !connected && !errors.Is(why, errNodeGone) {
		s.fate.refused(len(s.queue), fmt.Errorf("%w: %w", ErrNoLink, why))
		s.settle(len(s.queue))
	}
	h, held := s.node.directory.holder(s.name)
	s.route(h, held)
}
