package broadcast

import (
	"iter"
	"slices"

	"github.com/netasync/netasync/session"
)

// Group is a set of sessions that are sent the same messages, in the same order. A session may be a
// member of many. All methods are safe for concurrent use, also in callbacks.
//
// A member keeps its group in memory: Close one that is not used any more while its members live on.
type Group struct {
	members members
	writers writers
}

// NewGroup returns a group without members. It panics if an option is out of range.
func NewGroup(o Options) *Group {
	o.validate()
	g := new(Group)
	g.members.options, g.members.writers = o, &g.writers
	return g
}

// Add makes a session a member until Remove, Close or its end: it leaves by itself when it has closed.
// After the Shutdown of an engine none of its sessions is a member. Add reports false if the session is
// a member already, or has closed, or the group is closed.
func (g *Group) Add(s *session.Session) bool { return g.members.add(s, &g.members) }

// Remove ends the membership of a session, and reports whether it was one. What was queued for it is
// sent all the same.
func (g *Group) Remove(s *session.Session) bool { return g.members.remove(s) }

// Has reports whether a session is a member.
func (g *Group) Has(s *session.Session) bool { return g.members.has(s) }

// Len returns the number of members.
func (g *Group) Len() int { return g.members.len() }

// All returns the members there are at the moment of the call, in no order.
func (g *Group) All() iter.Seq[*session.Session] { return slices.Values(g.members.sessions()) }

// Send sends a message to all members. It queues, and does not wait, whatever a member does. The payload
// may be used again when it has returned.
func (g *Group) Send(payload []byte) Result { return g.members.send(payload, nil) }

// SendExcept is Send to all members but s, which need not be one.
func (g *Group) SendExcept(payload []byte, s *session.Session) Result {
	return g.members.send(payload, s)
}

// Close ends all memberships; the sessions live on, and are sent what was queued. From then on nobody can
// be added, and Send reaches nobody. It may be called again.
func (g *Group) Close() { g.members.close() }
