package session

import (
	"net"
	"slices"
	"sync"
	"time"
)

// Bounds of a History.
const (
	MaxPastEvents     = 512 // the latest lifecycle events
	MaxClosedSessions = 128 // the sessions that closed last
)

// History is what happened lately to the sessions of an engine, for somebody who looks at it later.
// It keeps the latest 512 lifecycle events and the latest 128 sessions that have closed, whatever the
// number of sessions: about 100 KiB, and what the addresses and errors in them refer to. It keeps no
// payloads. Its zero value is ready for use, by many goroutines; a nil one keeps nothing.
//
// Events are kept when they happen, in that order. So there may be some that the user has not read yet,
// or never will: see [Event] on Epoch, and sessions that nobody reads. Accepted sessions that closed
// before their first connection began are not in it, as their user has never heard of them.
type History struct {
	mu     sync.Mutex // guards all below; a leaf
	events ring[PastEvent]
	closed ring[ClosedSession]
}

// PastEvent is a lifecycle event of a session. Its fields are those of [Event].
type PastEvent struct {
	Time    time.Time // when it happened, which is before the user has read of it
	Session uint64    // the session's ID
	Name    string    // the session's
	Remote  net.Addr  // the session's, then
	Kind    EventKind // any but Message
	Err     error     // as that of the event
	Epoch   uint64    // as that of the event
	Queued  int       // as that of the event
	Resumed bool      // as that of the event
	Lost    int32     // as that of the event
}

// ClosedSession is a session that has closed.
type ClosedSession struct {
	Session  uint64    // its ID
	Name     string    // as Session.Name
	Identity string    // as Session.Identity
	Remote   net.Addr  // on the last connection
	Dialed   bool      // it was a dialed session
	Closed   time.Time // when it closed
	Err      error     // why it ended, as its Closed event says
	Stats    Stats     // at its end
}

// Events returns the latest lifecycle events, oldest first.
func (h *History) Events() []PastEvent {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.events.all()
}

// Closed returns the sessions that closed last, in the order in which they did.
func (h *History) Closed() []ClosedSession {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed.all()
}

// record keeps an event that the user is told, and the session with its last one. The caller holds mu,
// and so the events of a session are in order. No method of an error or an address is called.
func (s *Session) record(ev *Event) {
	h := s.cfg.History
	if h == nil {
		return
	}
	past := PastEvent{
		Session: s.id, Name: s.cfg.Name, Remote: s.remote, Kind: ev.Kind, Err: ev.Err,
		Epoch: ev.Epoch, Queued: ev.Queued, Resumed: ev.Resumed, Lost: ev.Lost,
	}
	var closed ClosedSession
	if ev.Kind == Closed {
		closed = ClosedSession{
			Session: s.id, Name: s.cfg.Name, Identity: s.identity, Remote: s.remote, Dialed: s.dialed(),
			Err: ev.Err, Stats: s.statsNow(),
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	past.Time = time.Now() // under the lock: no event is kept behind a later one
	h.events.add(past, MaxPastEvents)
	if ev.Kind == Closed {
		closed.Closed = past.Time
		h.closed.add(closed, MaxClosedSessions)
	}
}

// lifecycle tells the user of an event, and keeps it. The caller holds mu.
func (s *Session) lifecycle(ev Event) {
	s.record(&ev)
	s.in.lifecycle(ev)
}

// ring keeps the latest of what is added to it.
type ring[T any] struct {
	kept []T
	next int // where the oldest is, once it is full
}

func (r *ring[T]) add(v T, limit int) {
	if len(r.kept) < limit {
		r.kept = append(r.kept, v)
		return
	}
	r.kept[r.next] = v
	r.next = (r.next + 1) % limit
}

// all returns a copy, oldest first.
func (r *ring[T]) all() []T { return append(slices.Clone(r.kept[r.next:]), r.kept[:r.next]...) }
