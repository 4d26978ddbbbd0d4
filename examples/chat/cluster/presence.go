package main

import (
	"github.com/netasync/netasync/cluster"
	"github.com/netasync/netasync/examples/chat/internal/talk"
)

// presence tells this node's members of a room who comes and goes anywhere. It is of one goroutine.
type presence struct {
	chat *chat
	room *room
	old  map[cluster.Member]bool // who was there before: of them it is no news that they have joined
	away map[cluster.Member]bool // who is known, and whether each is away
}

// identity is what remains the same of a member.
func identity(m cluster.Member) cluster.Member {
	m.Name, m.Meta = "", ""
	return m
}

// follow ends with the room, or the node.
func (p *presence) follow(watch <-chan cluster.Presence) {
	for change := range watch {
		if kind := p.kind(change); kind != "" {
			p.tell(kind, change.Member)
		}
	}
}

// kind says what kind of news a change is, and "" for none.
func (p *presence) kind(change cluster.Presence) string {
	id, away := identity(change.Member), metaOf(change.Member).Away
	before, known := p.away[id]
	old := p.old[id]
	delete(p.old, id)
	if change.Kind == cluster.Left {
		delete(p.away, id)
		return "left"
	}
	p.away[id] = away
	switch {
	case !known && old, known && before == away:
		return ""
	case !known:
		return "joined"
	case away:
		return "away"
	}
	return "back"
}

// tell does not wait.
func (p *presence) tell(kind string, m cluster.Member) {
	news := talk.News{Kind: kind, Name: m.Name, Members: p.chat.people(p.room.name)}
	if kind == "joined" {
		news.ID = metaOf(m).ID
	}
	p.chat.mu.Lock()
	defer p.chat.mu.Unlock()
	if p.chat.rooms[p.room.name] == p.room { // else there are others by now, who have a list of their own
		p.chat.hub.Send(p.room.name, talk.Encode(news))
	}
}
