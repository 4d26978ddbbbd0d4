package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
	"github.com/netasync/netasync/examples/chat/internal/talk"
)

const (
	maxMembers = 200 // in all rooms; it bounds the list of members, which must fit into talk.MaxPayload
	// backlog is how many messages may wait for a member that has no connection, or reads too slowly. It
	// is much for a chat, and bounds the memory: a room's messages are shared by its members.
	backlog = 1024
)

// chat is the chat server: rooms, and who is in them.
type chat struct {
	hub *broadcast.Hub

	mu    sync.Mutex // guards all below, and is held while a room is told of a change: so lists come in order
	rooms map[string]*room
}

// room exists while it has members.
type room struct {
	name    string
	members map[*netasync.Session]*member
	said    int // messages
}

// member is the Value of a session that has joined.
type member struct {
	talk.Person
	room *room
}

// listen starts a chat server.
//
// A member that lags behind so far that its messages are more than backlog is thrown out. Drop would
// leave gaps in what it reads, and Latest is for states, of which the last counts. So it comes anew, as
// its page shows, and nobody has waited for it.
func listen(e *netasync.Engine, addr string) (*netasync.Listener, error) {
	c := &chat{
		hub:   broadcast.NewHub(broadcast.Options{Slow: broadcast.Close}),
		rooms: make(map[string]*room),
	}
	return e.Listen(addr, netasync.ListenOptions{
		Name: "chat", OnEvent: c.onEvent, Resume: true,
		MaxSessions: maxMembers, MaxPayload: talk.MaxPayload, WriteBuffer: netasync.Fixed(backlog),
	})
}

// onEvent is called by many sessions at once, and for one event of each at a time.
func (c *chat) onEvent(s *netasync.Session, ev netasync.Event) {
	switch ev.Kind {
	case netasync.Message:
		if err := c.hear(s, ev.Payload); err != nil {
			s.CloseNow(err)
		}
	case netasync.Disconnected:
		c.away(s, true)
	case netasync.Connected: // for the first time, or again
		c.away(s, false)
	case netasync.Closed:
		c.leave(s)
	}
}

// hear is told what a session says. Errors are those of one that does not keep to the rules.
func (c *chat) hear(s *netasync.Session, payload []byte) error {
	w, err := talk.Parse(payload)
	if err != nil {
		return err
	}
	if m, _ := s.Value().(*member); m != nil {
		return c.say(m, w)
	}
	return c.join(s, w)
}

func (c *chat) say(m *member, w talk.Word) error {
	text, err := talk.Clean("the text", w.Text, talk.MaxText)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m.room.said++
	c.hub.Send(m.room.name, talk.Encode(talk.News{Kind: "said", Name: m.Name, ID: w.ID, Text: text, N: m.room.said}))
	return nil
}

func (c *chat) join(s *netasync.Session, w talk.Word) error {
	roomName, err := talk.Clean("the room's name", w.Room, talk.MaxName)
	if err != nil {
		return err
	}
	name, err := talk.Clean("the name", w.Name, talk.MaxName)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.hub.Join(roomName, s) {
		return errors.New("it has closed")
	}
	r := c.rooms[roomName]
	if r == nil {
		r = &room{name: roomName, members: make(map[*netasync.Session]*member)}
		c.rooms[roomName] = r
	}
	m := &member{talk.Person{Name: r.free(name)}, r}
	r.members[s] = m
	s.SetValue(m)
	c.tell(m, "joined", w.ID)
	return nil
}

// leave is for a session that has closed, which the hub has let go by itself.
func (c *chat) leave(s *netasync.Session) {
	m, _ := s.Value().(*member)
	if m == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if delete(m.room.members, s); len(m.room.members) == 0 {
		delete(c.rooms, m.room.name)
	}
	c.tell(m, "left", "")
}

// away notes whether a session has a connection.
func (c *chat) away(s *netasync.Session, away bool) {
	m, _ := s.Value().(*member)
	if m == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m.Away = away
	kind := "back"
	if away {
		kind = "away"
	}
	c.tell(m, kind, "")
}

// tell tells a room of a member, and who is there from now on. Send does not wait. The caller holds mu.
func (c *chat) tell(m *member, kind, id string) {
	c.hub.Send(m.room.name, talk.Encode(talk.News{Kind: kind, Name: m.Name, ID: id, Members: m.room.people()}))
}

// people returns who is in the room, by name.
func (r *room) people() []talk.Person {
	people := make([]talk.Person, 0, len(r.members))
	for _, m := range r.members {
		people = append(people, m.Person)
	}
	slices.SortFunc(people, func(a, b talk.Person) int { return cmp.Compare(a.Name, b.Name) })
	return people
}

// free returns a name that nobody in the room has: the given one, or that with a number.
func (r *room) free(name string) string {
	taken := make(map[string]bool)
	for _, m := range r.members {
		taken[m.Name] = true
	}
	unique := name
	for n := 2; taken[unique]; n++ {
		unique = fmt.Sprintf("%s (%d)", name, n)
	}
	return unique
}
