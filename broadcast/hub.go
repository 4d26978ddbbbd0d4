package broadcast

import (
	"iter"
	"sync"

	"github.com/netasync/netasync/session"
)

// Hub is groups by name: rooms. A room exists while it has members. All methods are safe for concurrent
// use, also in callbacks.
type Hub struct {
	options Options
	writers writers

	mu    sync.Mutex // guards rooms; a leaf
	rooms map[string]*room
}

// room is a group of a hub. It tells that of each member that leaves.
type room struct {
	members
	hub  *Hub
	name string
	uses int // members, and those who are about to be. Hub.mu guards it
}

// NewHub returns a hub without rooms, which will have the given options. It panics if an option is out
// of range.
func NewHub(o Options) *Hub {
	o.validate()
	return &Hub{options: o, rooms: make(map[string]*room)}
}

// Join makes a session a member of a room, until Leave, LeaveAll or its end. It reports false if it is
// one already, or has closed.
func (h *Hub) Join(name string, s *session.Session) bool {
	h.mu.Lock()
	r := h.rooms[name]
	if r == nil {
		r = &room{members: members{options: h.options, writers: &h.writers}, hub: h, name: name}
		h.rooms[name] = r
	}
	r.uses++
	h.mu.Unlock()
	if !r.add(s, r) {
		h.release(r)
		return false
	}
	return true
}

// Leave ends the membership of a session in a room, and reports whether it was one. What was queued for it
// is sent all the same.
func (h *Hub) Leave(name string, s *session.Session) bool {
	r := h.room(name)
	return r != nil && r.leave(s)
}

// LeaveAll ends all memberships of a session in rooms of this hub.
func (h *Hub) LeaveAll(s *session.Session) {
	for _, g := range session.Drive(s).Groups() {
		if r, ok := g.(*room); ok && r.hub == h {
			r.leave(s)
		}
	}
}

// Send sends a message to all members of a room, see [Group.Send]. A room without members gets none.
func (h *Hub) Send(name string, payload []byte) Result { return h.SendExcept(name, payload, nil) }

// SendExcept is Send to all members of a room but s, which need not be one.
func (h *Hub) SendExcept(name string, payload []byte, s *session.Session) Result {
	r := h.room(name)
	if r == nil {
		return Result{}
	}
	return r.send(payload, s)
}

// Rooms returns the rooms there are at the moment of the call, in no order, and how many members each
// has.
func (h *Hub) Rooms() iter.Seq2[string, int] {
	h.mu.Lock()
	rooms := make([]*room, 0, len(h.rooms))
	for _, r := range h.rooms {
		rooms = append(rooms, r)
	}
	h.mu.Unlock()
	return func(yield func(string, int) bool) {
		for _, r := range rooms {
			if n := r.len(); n > 0 && !yield(r.name, n) {
				return
			}
		}
	}
}

// room returns a room, or nil.
func (h *Hub) room(name string) *room {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rooms[name]
}

// release ends a use of a room, and the room with its last.
func (h *Hub) release(r *room) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.uses--; r.uses == 0 {
		delete(h.rooms, r.name)
	}
}

// leave ends a membership, and reports whether there was one.
func (r *room) leave(s *session.Session) bool {
	if !r.remove(s) {
		return false
	}
	r.hub.release(r)
	return true
}

// Ended is for the session.
func (r *room) Ended(m *session.Member) { r.leave(m.Session()) }
