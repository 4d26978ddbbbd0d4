package session

import (
	"iter"
	"maps"
	"slices"
	"sync"
)

// Registry holds the sessions of an engine that have not closed. Its zero value is empty and open.
// It is safe for concurrent use.
type Registry struct {
	mu     sync.Mutex // guards all below; a leaf
	byID   map[uint64]*Session
	lastID uint64
	closed bool
	idle   chan struct{}     // made by the first Close; closed when empty from then on
	groups map[string]*Group // by name
}

// Add makes a session with a new ID and registers it. It returns nil once the registry is closed.
func (r *Registry) Add(create func(id uint64) *Session) *Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	if r.byID == nil {
		r.byID = make(map[uint64]*Session)
	}
	r.lastID++
	s := create(r.lastID)
	r.byID[r.lastID] = s
	return s
}

// Remove forgets a session, which has closed, but for its part of the totals.
func (r *Registry) Remove(s *Session) {
	last := s.totals(true) // before mu, which is a leaf
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.byID[s.id]; !ok {
		return
	}
	delete(r.byID, s.id)
	if g := s.cfg.Group; g != nil {
		g.past.add(&last)
	}
	if r.closed && len(r.byID) == 0 {
		close(r.idle)
	}
}

// Close refuses further sessions, and returns those there are and a channel that is closed when the
// last of them has been removed.
func (r *Registry) Close() ([]*Session, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.idle == nil {
		r.idle = make(chan struct{})
		if len(r.byID) == 0 {
			close(r.idle)
		}
	}
	return slices.Collect(maps.Values(r.byID)), r.idle
}

// Len returns the number of sessions.
func (r *Registry) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.byID)
}

// All returns the sessions there are at the moment of the call.
func (r *Registry) All() iter.Seq[*Session] {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Values(slices.Collect(maps.Values(r.byID)))
}

// Of returns the sessions there are at the moment of the call that were made with cfg.
func (r *Registry) Of(cfg *Config) iter.Seq[*Session] {
	all := slices.Collect(r.All())
	return slices.Values(slices.DeleteFunc(all, func(s *Session) bool { return s.cfg != cfg }))
}
