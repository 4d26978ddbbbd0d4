package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/chat/internal/gateway"
	"github.com/netasync/netasync/examples/chat/internal/talk"
)

// talker is a member of the lobby without a page.
type talker struct {
	name    string
	cable   *gateway.Cable
	session *netasync.Session
	ended   chan struct{} // is closed by listen, at the end of the session

	mu      sync.Mutex // guards all below
	changed chan struct{}
	links   []link              // its connections so far
	members []string            // as it was told last: name@node
	heard   map[string][]string // lines by whom
	parted  int                 // how many have said farewell
}

// link is a connection.
type link struct {
	netasync.Event
	server string
	at     time.Time
}

// enter has somebody join the lobby at a node.
func enter(engine *netasync.Engine, servers []gateway.Server, at, name string) (*talker, error) {
	t := &talker{
		name: name, cable: &gateway.Cable{Servers: servers, Dialer: new(net.Dialer).DialContext},
		ended: make(chan struct{}), changed: make(chan struct{}), heard: make(map[string][]string),
	}
	if err := t.cable.Move(at); err != nil {
		return nil, err
	}
	var err error
	t.session, err = engine.Connect("anywhere:1", netasync.ConnectOptions{ // the cable knows better
		Name: "talker", Resume: true, Dial: t.cable.Dial, MaxPayload: talk.MaxPayload,
		Hello: func(uint64) [][]byte { return [][]byte{talk.Encode(talk.Word{Room: lobby, Name: name})} },
	})
	if err != nil {
		return nil, err
	}
	go t.listen()
	return t, nil
}

// listen takes what the session brings. leave waits for its end.
func (t *talker) listen() {
	defer close(t.ended)
	for ev := range t.session.ReadChan() {
		t.mu.Lock()
		t.hear(ev)
		close(t.changed)
		t.changed = make(chan struct{})
		t.mu.Unlock()
	}
}

// hear takes one event. The caller holds mu.
func (t *talker) hear(ev netasync.Event) {
	if ev.Kind == netasync.Connected {
		t.links = append(t.links, link{ev, t.cable.Server(), time.Now()})
	}
	var news talk.News
	if ev.Kind != netasync.Message || json.Unmarshal(ev.Payload, &news) != nil {
		return
	}
	switch {
	case news.Kind != "said":
		t.members = nil
		for _, p := range news.Members {
			t.members = append(t.members, p.Name+"@"+p.Server)
		}
	case news.Text == farewell:
		t.parted++
	default:
		t.heard[news.Name] = append(t.heard[news.Name], news.Text)
	}
}

// wait waits until something holds, which is asked with mu held whenever something was heard.
func (t *talker) wait(ctx context.Context, holds func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		t.mu.Lock()
		done, changed := holds(), t.changed
		t.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-t.ended:
			return errors.New("the session has ended")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (t *talker) say(ctx context.Context, text string) error {
	return t.session.Send(ctx, talk.Encode(talk.Word{Text: text}))
}

// leave says goodbye.
func (t *talker) leave() {
	_ = t.session.Close()
	select {
	case <-t.ended:
	case <-time.After(grace):
		t.session.CloseNow(nil)
		<-t.ended
	}
}

func (t *talker) connections() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.links)
}

func (t *talker) link(n int) link {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.links[n]
}

// home returns the node at which the session lives, as all members are told.
func (t *talker) home() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.members {
		if name, node, _ := strings.Cut(m, "@"); name == t.name {
			return node
		}
	}
	return ""
}

func (t *talker) heardOf(name string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heard[name]
}
