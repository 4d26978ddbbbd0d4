package engine

import (
	"bytes"
	"container/list"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/session"
)

const tokenBytes = 16

// tokenKey is what a token is found by: its hash, so that neither the table nor the time that a lookup
// takes gives tokens away.
type tokenKey [sha256.Size]byte

// resumptions are an engine's accepted sessions that can be resumed. Its zero value is empty.
type resumptions struct {
	mu        sync.Mutex // guards all below, and what a resumption says that it guards; a leaf
	byToken   map[tokenKey]*resumption
	byNonce   map[resume.Nonce]*resumption
	beginning map[resume.Nonce]chan struct{} // see reserve; closed when that is over
	detached  int                            // sessions that wait for their peer
}

// resumption is what the engine knows of an accepted session that can be resumed: how it is found, who
// may have it, and how long it waits. It is the session's Redialer.
type resumption struct {
	host     *host
	row      *absences
	driver   session.Driver
	format   codec.Format
	nonce    resume.Nonce
	identity string
	secure   bool
	window   time.Duration
	prefix   []byte // of its tokens

	// The mu of the host's resumptions guards these.
	token  tokenKey
	number uint64        // of the connection that token was made for
	last   uint64        // of the last connection that has claimed the session
	proven bool          // the peer was heard on some connection
	timer  *time.Timer   // expires the session; nil while it is not detached
	round  uint64        // of waiting: how often timer was set
	place  *list.Element // in a row of absences; nil if it is not there
	places *list.List    // that row
	over   bool          // the session has closed
}

var _ session.Redialer = (*resumption)(nil)

// absences are a listener's sessions that wait for their peer, the one that has waited longest first.
// The mu of resumptions guards it.
type absences struct {
	limit int
	row   list.List // of those whose peer has shown that it knows of its session
	new   list.List // of the others, which go first where there are too many
}

// overflow returns the one that is to expire, if there are too many.
func (a *absences) overflow() *resumption {
	if a.row.Len()+a.new.Len() <= a.limit {
		return nil
	}
	if first := a.new.Front(); first != nil {
		return first.Value.(*resumption)
	}
	return a.row.Front().Value.(*resumption)
}

// reserve waits until no other connection is about to begin a session for a nonce: of two that come at
// once, the second is to find the session of the first. Until release it keeps others waiting. The
// error is ctx's.
func (t *resumptions) reserve(ctx context.Context, nonce resume.Nonce) error {
	for {
		t.mu.Lock()
		over := t.beginning[nonce]
		if over == nil {
			if t.beginning == nil {
				t.beginning = make(map[resume.Nonce]chan struct{})
			}
			t.beginning[nonce] = make(chan struct{})
			t.mu.Unlock()
			return nil
		}
		t.mu.Unlock()
		select {
		case <-over:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// release ends what reserve has begun.
func (t *resumptions) release(nonce resume.Nonce) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.beginning[nonce])
	delete(t.beginning, nonce)
}

// find returns the session that a Hello is for, and whether its token has told: nil if there is none.
func (t *resumptions) find(h *resume.Hello) (r *resumption, byToken bool) {
	key := tokenKey(sha256.Sum256(h.Token))
	t.mu.Lock()
	defer t.mu.Unlock()
	if r = t.byToken[key]; r != nil && len(h.Token) > 0 {
		return r, true
	}
	return t.byNonce[h.Nonce], false
}

// count returns how many sessions wait for their peer.
func (t *resumptions) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.detached
}

// newToken returns a token and its key.
func newToken(prefix []byte) ([]byte, tokenKey) {
	token := append(bytes.Clone(prefix), make([]byte, tokenBytes)...)
	_, _ = rand.Read(token[len(prefix):]) // it does not fail
	return token, sha256.Sum256(token)
}

// known is what a verdict needs to know.
func (r *resumption) known() *resume.Known {
	return &resume.Known{
		Nonce: r.nonce, Number: r.driver.Number(), Heard: r.driver.Heard(),
		Identity: r.identity, Secure: r.secure,
	}
}

// issue makes a token for the connection with the given number, which takes the place of the one
// before. It reports false if the session has closed, or has a token for a later connection.
func (r *resumption) issue(number uint64) (token []byte, ok bool) {
	token, key := newToken(r.prefix)
	t := &r.host.resumptions
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.over || number <= r.number {
		return nil, false
	}
	if t.byToken == nil {
		t.byToken, t.byNonce = make(map[tokenKey]*resumption), make(map[resume.Nonce]*resumption)
	}
	if r.number > 0 {
		delete(t.byToken, r.token)
	} else {
		t.byNonce[r.nonce] = r
	}
	t.byToken[key] = r
	r.token, r.number = key, number
	return token, true
}

// Stop leaves the table: the session has closed. What has come under its nonce since stays there.
func (r *resumption) Stop() {
	t := &r.host.resumptions
	t.mu.Lock()
	defer t.mu.Unlock()
	r.over = true
	r.rest()
	if r.number > 0 {
		delete(t.byToken, r.token)
	}
	if t.byNonce[r.nonce] == r {
		delete(t.byNonce, r.nonce)
	}
}

// Kick does nothing: the peer connects.
func (r *resumption) Kick() {}

// Redial begins to wait for the peer: the connection was lost, or one that had claimed the session has
// not come about.
func (r *resumption) Redial(proven bool, _ error) {
	t := &r.host.resumptions
	t.mu.Lock()
	defer t.mu.Unlock()
	r.proven = r.proven || proven
	r.wait()
}

// claimed ends the waiting: the connection with the given number has claimed the session. It does
// nothing if a later one has claimed it, too, which may be over already.
func (r *resumption) claimed(number uint64) {
	t := &r.host.resumptions
	t.mu.Lock()
	defer t.mu.Unlock()
	if number > r.last {
		r.last = number
		r.rest()
	}
}

// wait has the session expire when its time is over. The timer counts as work of the host: the
// session has not closed, so a shutdown has not begun to wait for that. Where too many wait, the first
// of them expires at once. The caller holds mu.
func (r *resumption) wait() {
	r.rest()
	if r.over {
		return
	}
	r.host.work.Add(1)
	r.round++
	round := r.round
	r.timer = time.AfterFunc(r.window, func() { r.expire(round) })
	r.host.resumptions.detached++
	if r.places = &r.row.new; r.proven {
		r.places = &r.row.row
	}
	r.place = r.places.PushBack(r)
	if first := r.row.overflow(); first != nil {
		first.leaveRow()
		if first.timer.Stop() {
			go first.expire(first.round)
		}
	}
}

// leaveRow leaves the row of absences. The caller holds mu.
func (r *resumption) leaveRow() {
	if r.place != nil {
		r.places.Remove(r.place)
		r.place = nil
	}
}

// rest ends the waiting. The caller holds mu.
func (r *resumption) rest() {
	if r.timer == nil {
		return
	}
	if r.timer.Stop() {
		r.host.work.Done()
	}
	r.timer = nil
	r.host.resumptions.detached--
	r.leaveRow()
}

// expire ends the session, unless its peer has come meanwhile, even if it has gone again: the waiting
// that has begun then has a timer of its own.
func (r *resumption) expire(round uint64) {
	defer r.host.work.Done()
	r.driver.Expire(func() bool {
		t := &r.host.resumptions
		t.mu.Lock()
		defer t.mu.Unlock()
		return r.timer != nil && r.round == round
	})
}
