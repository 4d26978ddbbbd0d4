package proof

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// leave ends a client at once.
func (c *client) leave() {
	c.retire()
	c.session.CloseNow(nil)
}

// here waits until a client has a session, and returns it.
func (c *client) here() (at sessionID) {
	c.w.t.Helper()
	testkit.Eventually(c.w.t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		at = c.at
		return at.node != ""
	}, "client %s has a session", c.id)
	return at
}

// reaches waits until a message that a node has begun to send after an instant has come in a session. A zero
// session means any.
func (w *world) reaches(p *process, name string, since time.Time, at sessionID) {
	w.t.Helper()
	begin := time.Now()
	testkit.Eventually(w.t, func() bool {
		w.books.mu.Lock()
		defer w.books.mu.Unlock()
		k, is := w.books.latest[key{p.Name, name, 0}]
		return is && (at == sessionID{} || w.books.came[k] == at) && w.books.sent[k].Began > since.UnixNano()
	}, "what %s sends to %s comes to %v", p.Name, name, at)
	if took := time.Since(begin); took > promise {
		w.t.Logf("what %s sends to %s took %v to come again", p.Name, name, took.Round(time.Millisecond))
	}
}

// left waits until a node has told that a member is gone, and returns how long after an instant that was.
func (w *world) left(p *process, name string, at sessionID, since time.Time) time.Duration {
	w.t.Helper()
	var found []report
	testkit.Eventually(w.t, func() bool {
		found = w.books.find(membersOf, func(r report) bool {
			return r.Client == p.Name && r.Name == name && r.Node == at.node && r.Session == at.session && r.Text == "left" &&
				r.At > since.UnixNano()
		})
		return len(found) > 0
	}, "%s tells that %s has left %s", p.Name, name, at.node)
	return time.Unix(0, found[0].At).Sub(since)
}

// freed waits until a node's Send has said that nobody has a name, and returns how long after an instant that
// was.
func (w *world) freed(p *process, name string, since time.Time) time.Duration {
	w.t.Helper()
	var first int64
	testkit.Eventually(w.t, func() bool {
		w.books.mu.Lock()
		defer w.books.mu.Unlock()
		for k, r := range w.books.sent {
			if k.sender == p.Name && k.name == name && r.Outcome == "none" && r.Began > since.UnixNano() && (first == 0 || r.At < first) {
				first = r.At
			}
		}
		return first != 0
	}, "%s finds that nobody is %s", p.Name, name)
	return time.Unix(0, first).Sub(since)
}

// replaced waits until a session has closed with ErrReplaced.
func (w *world) replaced(at sessionID) report {
	w.t.Helper()
	var found []report
	testkit.Eventually(w.t, func() bool {
		found = w.books.find(closedOf, func(r report) bool { return r.Node == at.node && r.Session == at.session })
		return len(found) > 0
	}, "session %v is closed", at)
	require.Equal(w.t, "replaced", found[0].Outcome, "%v: %s", at, found[0].Text)
	return found[0]
}

// settled waits until all that was queued has come, or is excused.
func (w *world) settled() {
	w.t.Helper()
	deadline := time.Now().Add(testkit.Patience)
	for {
		keys, missing := w.books.unexcused()
		if len(keys) == 0 {
			w.t.Logf("messages to names: %v; %d of them queued and not received, which sessions told as %d or died with",
				w.books.outcomes(), missing, w.books.unsent())
			break
		}
		if time.Now().After(deadline) {
			w.t.Errorf("%d messages were queued and have not come: %v", len(keys), keys[:min(len(keys), 20)])
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	for _, text := range w.books.overdelivered() {
		w.t.Error(text)
	}
	if keys := w.books.phantoms(); len(keys) > 0 {
		w.t.Errorf("%d messages have come that were not queued: %v", len(keys), keys[:min(len(keys), 20)])
	}
}

// figures are durations, to be logged.
type figures []time.Duration

func (f *figures) add(d time.Duration) { *f = append(*f, d) }

func (f figures) max() time.Duration {
	if len(f) == 0 {
		return 0
	}
	return slices.Max(f)
}

func (f figures) String() string {
	if len(f) == 0 {
		return "none"
	}
	s := slices.Sorted(slices.Values(f))
	at := func(q float64) time.Duration { return s[int(q*float64(len(s)-1))].Round(time.Millisecond) }
	return fmt.Sprintf("min %v, p50 %v, p99 %v, max %v (%d)", at(0), at(0.5), at(0.99), at(1), len(s))
}
