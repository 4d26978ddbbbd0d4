package cluster

import (
	"sync/atomic"

	"github.com/netasync/netasync"
)

// binding is the way of a RemoteSession to the session that holds its name: a stream of a link, or an
// outlet of this node. It ends when the owner has said its last word, or cannot any more.
type binding struct {
	s *RemoteSession
	holder
	link  *link // nil: it is local
	local *outlet

	marked atomic.Bool // it is among those that have something to say
	// number is of a link's stream; 0: the owner does not know of it. link.speak sets it, link.mu guards it.
	number uint64

	// s.mu guards these.
	handled, refused uint64 // as the owner has said last
	used             bool   // since it was looked at last
	leaving          bool   // the last word is wanted,
	asked            bool   // and asked for
}

// offer says that there are messages to be sent. The caller holds s.mu.
func (b *binding) offer() {
	if b.used = true; b.link != nil {
		b.link.voice.add(b, &b.marked)
		return
	}
	s := b.s
	if b.local.add(s.queue[s.sent:]) != nil { // the window is the same, so the node has ended
		s.at, s.sent = nil, 0
		s.fate.refused(len(s.queue), ErrShutdown)
		s.settle(len(s.queue))
		return
	}
	s.sent = len(s.queue)
}

// leave asks for the last word. The caller holds s.mu.
func (b *binding) leave() {
	b.leaving = true
	if b.link != nil {
		b.link.voice.add(b, &b.marked)
	} else {
		b.s.node.links.spawn(b.local.end)
	}
}

// direct is for a message before which there is none under way: then it is free where it goes. It reports
// true if the message needs nothing more, or there is an error, or no room. The caller holds mu.
func (s *RemoteSession) direct(payload []byte) (over bool, room <-chan struct{}, err error) {
	for range maxMoves {
		h, held := s.node.directory.holder(s.name)
		if s.at != nil {
			if !held || !h.over(s.at.holder) {
				return false, nil, nil
			}
			s.unbind()
		}
		if !held {
			return true, nil, ErrNoSession
		}
		if h.node == s.node.id {
			switch s.node.queue(entryID{kindName, s.name, h.session}, payload) {
			case answerQueued:
				s.accepted++
				return true, nil, nil
			case answerBad:
				return true, nil, netasync.ErrFrameTooLarge
			case answerGone:
				continue
			}
		}
		room, err = s.bind(h)
		return s.at == nil, room, err
	}
	return true, nil, ErrNoSession
}

// bind makes a session the one that messages go to. If there is no room for a stream, it returns a channel
// that is closed when there may be. The caller holds mu.
func (s *RemoteSession) bind(h holder) (room <-chan struct{}, err error) {
	if h.node == s.node.id {
		s.at = s.newLocal(h)
		return nil, nil
	}
	for {
		k, err := s.node.links.linkTo(h.node)
		if err != nil {
			return nil, err
		}
		if s.at, room = k.begin(s, h); s.at != nil || room != nil {
			return room, nil
		}
		s.node.links.removeOut(k) // it has ended, and is about to do that itself
	}
}

// newLocal returns a binding to a session of this node.
func (s *RemoteSession) newLocal(h holder) *binding {
	b := &binding{s: s, holder: h}
	id, links := entryID{kindName, s.name, h.session}, &s.node.links
	b.local = newOutlet(s.node.ctx, s.node, id, links.spawn, func() { _ = s.reported(b, b.local.report()) })
	if !b.local.open() {
		b.leave()
	}
	return b
}

// unbind leaves where messages went to: none is under way. The caller holds mu.
func (s *RemoteSession) unbind() {
	b := s.at
	s.at, s.sent = nil, 0
	b.leave()
}

// frames returns what is to be sent of a stream now, and whether there is more.
func (s *RemoteSession) frames(b *binding) (frames [][]byte, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == b && !b.leaving {
		if h, held := s.node.directory.holder(s.name); held && h.over(b.holder) {
			b.leaving = true
		}
	}
	if s.at == b && !b.leaving && s.sent < len(s.queue) {
		if b.number == 0 {
			b.link.open(b)
			f := frame{kind: frameOpen, stream: b.number, session: b.session, name: s.name}
			frames = append(frames, f.append(nil))
		}
		frames = append(frames, s.data(b))
	}
	if b.leaving && !b.asked {
		b.asked = true
		if b.number > 0 {
			f := frame{kind: frameLeave, stream: b.number}
			frames = append(frames, f.append(nil))
		} else {
			b.link.forget(b)
			s.leftLocked(b, frame{})
		}
	}
	return frames, s.at == b && !b.leaving && s.sent < len(s.queue)
}

// data returns the next messages as one frame. The caller holds mu.
func (s *RemoteSession) data(b *binding) []byte {
	next, bytes := s.queue[s.sent:], 0
	for i, m := range next {
		if bytes += len(m); i > 0 && bytes > frameBytes {
			next = next[:i]
			break
		}
	}
	s.sent += len(next)
	f := frame{kind: frameData, stream: b.number, messages: next}
	return f.append(make([]byte, 0, dataSize(next)))
}

// reported takes in what the owner has said. An error says that it cannot be.
func (s *RemoteSession) reported(b *binding, f frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at != b {
		return nil
	}
	handled, refused := f.handled-b.handled, f.refused-b.refused
	if f.handled < b.handled || f.refused < b.refused || handled > uint64(s.sent) || refused > handled {
		return errMalformed
	}
	b.handled, b.refused = f.handled, f.refused
	s.fate.refused(int(refused), netasync.ErrFrameTooLarge)
	if s.settle(int(handled)); handled > 0 {
		s.moves = 0
	}
	switch {
	case f.kind == frameLast:
		s.leftLocked(b, f)
	case len(s.queue) == 0 && (b.link == nil || b.link.full()):
		s.unbind() // the next message goes to a session of this node itself, or others have the room
	}
	return nil
}

// look leaves a stream that has had nothing to send since the last look, or has nothing now, and one whose
// name has moved.
func (s *RemoteSession) look(b *binding, now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at != b {
		return
	}
	if len(s.queue) == 0 {
		if !b.used || now {
			s.unbind()
		}
		b.used = false
		return
	}
	if h, held := s.node.directory.holder(s.name); held && h.over(b.holder) {
		b.leave()
	}
}
