package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/chat/internal/talk"
)

// Bounds of a tab.
const (
	MaxWaiting = 128 // words of a tab, while it has no connection; its page keeps what is more
	MaxRecent  = 256 // updates that are kept, for a browser that lost its stream and comes back
)

// tab is a page in a browser: its session to the chat server, and what the browser is told of that.
//
// What the session receives is read by the stream that serves the browser, and by nobody else. So a
// browser that does not read stops its own session, by back-pressure, and the chat server throws it out
// when its backlog is full. Nobody else waits.
type tab struct {
	id      string // begins its words' IDs, which the whole room can read: no secret
	session *netasync.Session
	cable   *Cable
	turn    chan struct{} // holds one value while a stream serves the browser

	mu      sync.Mutex // guards all below
	said    uint64     // the number of the last word that was accepted
	last    uint64     // of the last update
	recent  []Update   // the latest ones, the last is number last
	streams int        // that serve the browser, or wait for their turn
	stop    context.CancelFunc
	expiry  *time.Timer // runs while there is no stream
}

// Update is what a page is told, in JSON: what happened to the connection, or news.
type Update struct {
	State   string          `json:"state,omitempty"` // connected, disconnected, closed, or missed
	Epoch   uint64          `json:"epoch,omitempty"`
	Resumed bool            `json:"resumed,omitempty"`
	Lost    int32           `json:"lost,omitempty"`
	Cause   string          `json:"cause,omitempty"`
	Server  string          `json:"server,omitempty"` // that the connection goes to, if there are several
	Missed  uint64          `json:"missed,omitempty"` // updates that are not kept any more
	News    json.RawMessage `json:"news,omitempty"`
}

// newTab returns a tab that joins a room.
func newTab(e *netasync.Engine, addr, id string, cable *Cable, join talk.Word) (*tab, error) {
	t := &tab{id: id, cable: cable, turn: make(chan struct{}, 1)}
	join.ID = id
	var err error
	t.session, err = e.Connect(addr, netasync.ConnectOptions{
		Name: "tab", Resume: true, Dial: t.cable.Dial,
		WriteBuffer: netasync.Fixed(MaxWaiting), MaxPayload: talk.MaxPayload,
		Hello: func(uint64) [][]byte { return [][]byte{talk.Encode(join)} }, // on each connection that is not resumed
	})
	return t, err
}

// say sends a word of the page's, which numbers them from 1. One that comes again, as the page did not
// hear that it had been accepted, is not sent again. It does not wait.
func (t *tab) say(n uint64, text string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n <= t.said {
		return nil
	}
	if err := t.session.TrySend(talk.Encode(talk.Word{Text: text, ID: fmt.Sprintf("%s-%d", t.id, n)})); err != nil {
		return err
	}
	t.said = n
	return nil
}

// attach begins a stream, which ends the one before: the browser has come anew, even if nobody noticed
// that it had gone. The stream ends with the context, and then calls detach. ok is false if it has no
// turn any more.
func (t *tab) attach(ctx context.Context, away time.Duration) (_ context.Context, detach func(), ok bool) {
	ctx, stop := context.WithCancel(ctx)
	t.mu.Lock()
	if t.stop != nil {
		t.stop()
	}
	t.stop = stop
	t.streams++
	t.expiry.Stop()
	t.mu.Unlock()
	gone := func() {
		stop()
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.streams--; t.streams == 0 {
			t.expiry.Reset(away)
		}
	}
	select {
	case t.turn <- struct{}{}:
		return ctx, func() { <-t.turn; gone() }, true
	case <-ctx.Done():
		gone()
		return ctx, nil, false
	}
}

// note makes an update of an event, keeps it, and returns its number.
func (t *tab) note(ev netasync.Event) (uint64, Update) {
	u := Update{State: ev.Kind.String(), Epoch: ev.Epoch, Resumed: ev.Resumed, Lost: ev.Lost}
	if ev.Kind == netasync.Connected {
		u.Server = t.cable.Server()
	}
	if ev.Kind == netasync.Message {
		u = Update{News: bytes.Clone(ev.Payload)} // small payloads share memory, and this one stays
		if !json.Valid(ev.Payload) {
			u = Update{State: "disconnected", Cause: "the server does not speak JSON"}
		}
	} else if ev.Err != nil {
		u.Cause = ev.Err.Error()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	if t.recent = append(t.recent, u); len(t.recent) > MaxRecent {
		t.recent = t.recent[1:]
	}
	return t.last, u
}

// since returns the updates behind the given number, as far as they are kept, and the number of the first.
func (t *tab) since(after uint64) (first uint64, missed uint64, updates []Update) {
	t.mu.Lock()
	defer t.mu.Unlock()
	oldest := t.last - uint64(len(t.recent)) // the number before it
	after = min(after, t.last)
	if after < oldest {
		missed = oldest - after
		after = oldest
	}
	return after + 1, missed, append(updates, t.recent[after-oldest:]...)
}

// part says goodbye to the chat server, for which there has to be a connection.
func (t *tab) part() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	defer t.session.CloseNow(nil)
	t.cable.Cut(false)
	t.session.RetryNow()
	if t.session.WaitConnected(ctx) != nil {
		return
	}
	_ = t.session.Close()
	select {
	case <-t.session.Done():
	case <-ctx.Done():
	}
}
