package session

// This is what package broadcast sees of a session. None of it is for users of the library.

// Broadcaster is a group of which sessions are members.
type Broadcaster interface {
	// Ended is called without a lock when the session of a member has closed, unless the member has left
	// before. It does not block.
	Ended(m *Member)
}

// Member is the membership of a session in a group. The group's lock may be held when its methods are
// called, but for Write. They do not block, and call nobody back.
type Member struct {
	s          *Session
	group      Broadcaster
	source     uint32  // of its messages, if it may replace them; 0: none
	prev, next *Member // in Session.members. Session.mu guards them
	joined     bool    // it is in there
}

// Session returns whose membership it is.
func (m *Member) Session() *Session { return m.s }

// join is Driver.Join.
func (s *Session) join(m *Member, group Broadcaster, latest bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == StateClosed {
		return false
	}
	*m = Member{s: s, group: group, next: s.members, joined: true}
	if latest {
		s.lastSource = max(1, s.lastSource+1) // they last a while: it may begin anew
		m.source = s.lastSource
	}
	if m.next != nil {
		m.next.prev = m
	}
	s.members = m
	return true
}

// Leave ends the membership. What was queued is sent all the same.
func (m *Member) Leave() {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	if !m.joined {
		return
	}
	if m.prev == nil {
		m.s.members = m.next
	} else {
		m.prev.next = m.next
	}
	if m.next != nil {
		m.next.prev = m.prev
	}
	m.prev, m.next, m.joined = nil, nil, false
}

// groups returns where the session is a member.
func (s *Session) groups() (all []Broadcaster) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for m := s.members; m != nil; m = m.next {
		all = append(all, m.group)
	}
	return all
}

// leaveGroups ends the memberships of a session that has closed.
func (s *Session) leaveGroups() {
	for {
		s.mu.Lock()
		m := s.members
		s.mu.Unlock()
		if m == nil {
			return
		}
		m.Leave() // unless somebody else is faster
		m.group.Ended(m)
	}
}
