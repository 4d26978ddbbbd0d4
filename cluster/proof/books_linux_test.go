package proof

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// key is a message that a node has sent to a name.
type key struct {
	sender, name string
	number       int
}

// sessionID is a session at a node.
type sessionID struct {
	node    string
	session uint64
}

// stay is what is known of such a session.
type stay struct {
	client, name string
	last         map[string]int // of each sender, the number that came last
	came         int            // how many
	closed       *report
}

// books are what all have said and got. They are safe for concurrent use.
type books struct {
	mu      sync.Mutex // guards all below
	sent    map[key]report
	came    map[key]sessionID
	latest  map[key]key // without its number: which came last
	stays   map[sessionID]*stay
	members []report
	closed  []report
	batches []report               // of streams, of which some was not queued
	refused map[string]int         // answers to a client that its session did not take
	numbers map[string]map[int]int // of clients, that nodes have got: how often
	killed  map[string]int64       // nodes, and when they were dead
	wrongs  []string
}

func newBooks() *books {
	return &books{
		sent: map[key]report{}, came: map[key]sessionID{}, latest: map[key]key{}, stays: map[sessionID]*stay{},
		numbers: map[string]map[int]int{}, killed: map[string]int64{}, refused: map[string]int{},
	}
}

func (b *books) wrong(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrongLocked(format, args...)
}

func (b *books) wrongLocked(format string, args ...any) {
	b.wrongs = append(b.wrongs, fmt.Sprintf(format, args...))
}

// note writes down what a node says, and reports false for answers.
func (b *books) note(r report) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch r.Is {
	case "sent":
		b.sent[key{r.Node, r.Name, r.Number}] = r
		if r.Outcome == "other" || strings.Contains(r.Text, "connection closed") {
			b.wrongLocked("%s: Send to %s: %s", r.Node, r.Name, r.Text)
		}
	case "got":
		if b.numbers[r.Client] == nil {
			b.numbers[r.Client] = map[int]int{}
		}
		if b.numbers[r.Client][r.Number]++; b.numbers[r.Client][r.Number] > 1 {
			b.wrongLocked("%s: number %d of client %s came again", r.Node, r.Number, r.Client)
		}
	case "member":
		b.members = append(b.members, r)
	case "closed":
		b.closed = append(b.closed, r)
		if s := b.stays[sessionID{r.Node, r.Session}]; s != nil {
			s.closed = &r
		}
	case "batch":
		b.batches = append(b.batches, r)
	case "refused":
		b.refused[r.Client]++
	case "wrong":
		b.wrongLocked("%s: %s", r.Node, r.Text)
	default:
		return false
	}
	return true
}

// begun writes down that a client has a session at a node.
func (b *books) begun(id sessionID, c *client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &stay{client: c.id, name: c.name, last: map[string]int{}}
	for i := range b.closed { // that may have been told before
		if r := &b.closed[i]; r.Node == id.node && r.Session == id.session {
			s.closed = r
		}
	}
	b.stays[id] = s
}

// got writes down that a message has come.
func (b *books) got(id sessionID, c *client, k key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if before, twice := b.came[k]; twice {
		b.wrongLocked("%v came twice: at %v and %v", k, before, id)
		return
	}
	s := b.stays[id]
	if s == nil {
		b.wrongLocked("%v came to client %s before its session has begun", k, c.id)
		return
	}
	if k.name != c.name {
		b.wrongLocked("%v came to %s", k, c.name)
	}
	if k.number <= s.last[k.sender] {
		b.wrongLocked("%v came after number %d", k, s.last[k.sender])
	}
	b.came[k], s.last[k.sender] = id, k.number
	s.came++
	b.latest[key{k.sender, k.name, 0}] = k
}

// kills kills a node, and writes that down: what its sessions had not sent is lost, and nobody says so.
func (b *books) kills(p *process) {
	p.kill()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.killed[p.Name] = time.Now().UnixNano()
}

// phantoms returns messages that came although their Send has said that they were not queued.
func (b *books) phantoms() (keys []key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k := range b.came {
		if o := b.sent[k].Outcome; o == "none" || o == "full" {
			keys = append(keys, k)
		}
	}
	return keys
}

// outcomes counts what Send has said.
func (b *books) outcomes() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := map[string]int{"came": len(b.came)}
	for k, r := range b.sent {
		if n[r.Outcome]++; r.Outcome == "ok" && strings.HasSuffix(k.sender, streamOf("")) {
			n["ok by stream"]++
		}
	}
	return n
}

// unsent is what closing sessions have said of messages that did not go, or may not have come.
func (b *books) unsent() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.closed {
		n += r.Queued + r.Lost
	}
	return n
}

// find returns those lines that fit, of members or of closed sessions.
func (b *books) find(which func(*books) []report, fits func(report) bool) (found []report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range which(b) {
		if fits(r) {
			found = append(found, r)
		}
	}
	return found
}

func membersOf(b *books) []report { return b.members }
func closedOf(b *books) []report  { return b.closed }

// check fails the test if anything was wrong.
func (b *books) check(t testing.TB) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, text := range b.wrongs {
		if t.Error(text); i == 20 {
			t.Errorf("and %d more", len(b.wrongs)-i)
			return
		}
	}
}

// dump logs what a failure may be understood by.
func (b *books) dump(t testing.TB) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.members[max(0, len(b.members)-20):] {
		t.Logf("%s %s: %s of %s %s", time.Unix(0, r.At).Format("05.000"), r.Client, r.Name, r.Node, r.Text)
	}
	left := 60
	for _, r := range b.closed {
		if left--; left > 0 && (r.Queued+r.Lost > 0 || r.Outcome != "") {
			t.Logf("%s %s: session %d of %s for %s closed: %s %s, %d queued, %d lost",
				time.Unix(0, r.At).Format("05.000"), r.Node, r.Session, r.Client, r.Name, r.Outcome, r.Text, r.Queued, r.Lost)
		}
	}
}
