package broadcast

import (
	"sync"

	"github.com/netasync/netasync/session"
)

// members are those of a group or a room. It is made with options and writers.
type members struct {
	options Options
	writers *writers

	mu     sync.Mutex // guards all below, and is held while a message is queued: that makes the order
	all    []*member
	of     map[*session.Session]*member
	closed bool
}

// member is a membership. members.mu guards its fields.
type member struct {
	session.Member
	at   int  // in members.all
	slow bool // it had no room when it was last sent something
}

// add makes a session a member of what group says, which is told of its end.
func (m *members) add(s *session.Session, group session.Broadcaster) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.of[s] != nil {
		return false
	}
	one := &member{at: len(m.all)}
	if !session.Drive(s).Join(&one.Member, group, m.options.Slow == Latest) {
		return false
	}
	if m.of == nil {
		m.of = make(map[*session.Session]*member)
	}
	m.of[s] = one
	m.all = append(m.all, one)
	return true
}

// remove ends a membership, and reports whether there was one.
func (m *members) remove(s *session.Session) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	one := m.of[s]
	if one == nil {
		return false
	}
	one.Leave()
	delete(m.of, s)
	last := len(m.all) - 1
	m.all[one.at] = m.all[last]
	m.all[one.at].at = one.at
	m.all[last] = nil
	m.all = m.all[:last]
	return true
}

// Ended is for the session.
func (m *members) Ended(one *session.Member) { m.remove(one.Session()) }

func (m *members) has(s *session.Session) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of[s] != nil
}

func (m *members) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.all)
}

func (m *members) sessions() []*session.Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*session.Session, 0, len(m.all))
	for _, one := range m.all {
		all = append(all, one.Session())
	}
	return all
}

func (m *members) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range m.all {
		one.Leave()
	}
	m.all, m.of, m.closed = nil, nil, true
}

// send sends a message to all members but one, who may be nil.
func (m *members) send(payload []byte, except *session.Session) Result {
	r, slow := m.queue(payload, except)
	if m.options.Slow == Close {
		for _, s := range slow {
			s.CloseNow(ErrSlow)
		}
	}
	if m.options.OnSlow != nil {
		for _, s := range slow {
			m.options.OnSlow(s)
		}
	}
	return r
}

// queue queues a message for all members but one. It returns those that have become slow.
func (m *members) queue(payload []byte, except *session.Session) (r Result, slow []*session.Session) {
	message := session.Share(payload)
	m.mu.Lock()
	defer m.mu.Unlock()
	owed := m.writers.begin()
	defer owed.end()
	for _, one := range m.all {
		if one.Session() == except {
			continue
		}
		what, write := one.TryShare(&message, one.slow)
		if write {
			owed.add(&one.Member)
		}
		switch what {
		case session.ShareQueued:
			r.Queued++
			one.slow = false
		case session.ShareNoRoom, session.ShareReplaced:
			r.Slow++
			if !one.slow {
				one.slow = true
				slow = append(slow, one.Session())
			}
		case session.ShareRefused:
			r.Refused++
		case session.ShareEnded:
			r.Closed++
		}
	}
	return r, slow
}
