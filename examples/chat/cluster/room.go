package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
	"github.com/netasync/netasync/cluster"
	"github.com/netasync/netasync/examples/chat/internal/talk"
)

const (
	maxMembers = 100  // at this node; it bounds the list of members, which must fit into talk.MaxPayload
	backlog    = 1024 // messages that may wait for a member
)

// chat is the chat server of a node. The cluster has the rooms, and says who is in them; what is said goes
// to all nodes. Each node tells its own members who comes and goes.
type chat struct {
	node      *cluster.Node
	hub       *broadcast.Hub // of this node's members
	following sync.WaitGroup // goroutines of rooms

	mu    sync.Mutex       // guards all below, and is held while something is said: so it is numbered in order
	rooms map[string]*room // in which there are members of this node
}

// room is one in which there are members of this node.
type room struct {
	name string
	here int // members at this node
	said int // messages at this node
	stop context.CancelFunc
}

// member is the Value of a session that has joined.
type member struct{ room, name, id string }

// meta is what the cluster keeps for a member, in JSON.
type meta struct {
	ID   string `json:"id"` // of the word by which it has joined
	Away bool   `json:"away,omitempty"`
}

func newChat(node *cluster.Node) *chat {
	return &chat{
		node: node, hub: broadcast.NewHub(broadcast.Options{Slow: broadcast.Close}), rooms: make(map[string]*room),
	}
}

// listen serves members, who may come back to any node.
func (c *chat) listen() (*netasync.Listener, error) {
	return c.node.Listen("127.0.0.1:0", netasync.ListenOptions{
		Name: "chat", OnEvent: c.onEvent, Resume: true,
		MaxSessions: maxMembers, MaxPayload: talk.MaxPayload, WriteBuffer: netasync.Fixed(backlog),
	})
}

// onEvent is called by many sessions at once, and for one event of each at a time.
func (c *chat) onEvent(s *netasync.Session, ev netasync.Event) {
	m, _ := s.Value().(*member)
	var err error
	switch {
	case ev.Kind == netasync.Message:
		err = c.hear(s, m, ev.Payload)
	case m == nil: // it has not joined
	case ev.Kind == netasync.Closed:
		c.leave(m)
	default: // Connected again, here or by another node, or Disconnected
		_ = c.enter(s, m, ev.Kind == netasync.Disconnected) // it fails if the session or the node ends
	}
	if err != nil {
		s.CloseNow(err)
	}
}

func (c *chat) hear(s *netasync.Session, m *member, payload []byte) error {
	w, err := talk.Parse(payload)
	if err != nil {
		return err
	}
	if m == nil {
		return c.join(s, w)
	}
	return c.say(m, w)
}

// say tells all members at all nodes. What one node says comes in one order to all of them; that is what
// the numbers count.
func (c *chat) say(m *member, w talk.Word) error {
	text, err := talk.Clean("the text", w.Text, talk.MaxText)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms[m.room]
	r.said++
	c.node.Broadcast(m.room, talk.Encode(talk.News{
		Kind: "said", Name: m.name, ID: w.ID, Text: text, N: r.said, Server: c.node.Name(),
	}))
	return nil
}

func (c *chat) join(s *netasync.Session, w talk.Word) error {
	room, err := talk.Clean("the room's name", w.Room, talk.MaxName)
	if err != nil {
		return err
	}
	name, err := talk.Clean("the name", w.Name, talk.MaxName)
	if err != nil {
		return err
	}
	if name, err = c.claim(s, room, name); err != nil {
		return err
	}
	m := &member{room, name, w.ID}
	s.SetValue(m) // from now on it leaves when it has closed
	c.follow(room)
	if !c.hub.Join(room, s) {
		return netasync.ErrClosed
	}
	return c.enter(s, m, false)
}

// claim returns a name that nobody in the room has, at any node: the given one, or that with a number. Who
// claims the same elsewhere at the same time may still win: then this session is closed, and comes anew.
func (c *chat) claim(s *netasync.Session, room, name string) (string, error) {
	unique := name
	for n := 2; ; n++ {
		_, err := c.node.Claim(s.Context(), room+"\x00"+unique, s, cluster.Refuse)
		if !errors.Is(err, cluster.ErrClaimed) {
			return unique, err
		}
		unique = fmt.Sprintf("%s (%d)", name, n)
	}
}

// enter has the cluster know of a member, until its session closes.
func (c *chat) enter(s *netasync.Session, m *member, away bool) error {
	return c.node.JoinAs(m.room, s, m.name, string(talk.Encode(meta{m.id, away})))
}

// follow begins to tell this node's members of a room who comes and goes, if they are the first.
func (c *chat) follow(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms[name]
	if r == nil {
		ctx, stop := context.WithCancel(context.Background())
		r = &room{name: name, stop: stop}
		c.rooms[name] = r
		watch := c.node.Watch(ctx, name)
		p := presence{chat: c, room: r, old: make(map[cluster.Member]bool), away: make(map[cluster.Member]bool)}
		for m := range c.node.Members(name) {
			p.old[identity(m)] = true
		}
		c.following.Go(func() { p.follow(watch) })
	}
	r.here++
}

// leave is for a session that has closed, which the cluster and the hub have let go by themselves.
func (c *chat) leave(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms[m.room]
	if r.here--; r.here == 0 {
		r.stop()
		delete(c.rooms, m.room)
	}
}

// people returns who is in a room, at all nodes, by name.
func (c *chat) people(room string) (people []talk.Person) {
	for m := range c.node.Members(room) {
		people = append(people, talk.Person{Name: m.Name, Away: metaOf(m).Away, Server: m.Node})
	}
	slices.SortFunc(people, func(a, b talk.Person) int { return cmp.Compare(a.Name, b.Name) })
	return people
}

func metaOf(m cluster.Member) (known meta) {
	_ = json.Unmarshal([]byte(m.Meta), &known) // another node has encoded it
	return known
}
