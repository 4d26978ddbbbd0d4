package proof

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

const often = 10 * time.Millisecond

// A node is killed: the others forget its names and members, a Send never says that a message is queued
// which nobody took, and its clients have new sessions elsewhere, which say what may be lost.
func TestNodeIsKilled(t *testing.T) {
	w := newWorld(t, true)
	var left, freed, found, back figures
	for round := range *rounds {
		i := round % nodes
		victim := w.nodes[i]
		ctx, quiet := context.WithCancel(context.Background())
		stays := w.join(fmt.Sprint("s", round), fmt.Sprint("stays/", round), false, i)
		goes := w.join(fmt.Sprint("g", round), fmt.Sprint("goes/", round), false, i, (i+1)%nodes, (i+2)%nodes)
		was := stays.here()
		require.Equal(t, victim.Name, was.node)
		require.Equal(t, victim.Name, goes.here().node)
		w.clients.Go(func() { goes.talk(ctx, often) })
		for _, p := range w.others(i) {
			begin := time.Now()
			for _, c := range []*client{stays, goes} {
				p.send(c.name, often)
				w.reaches(p, c.name, begin, sessionID{})
			}
		}
		gone := goes.here()

		begin := time.Now()
		w.books.kills(victim)
		dead := time.Now() // all its ports are closed
		for _, p := range w.others(i) {
			left.add(w.left(p, stays.name, was, begin))
			left.add(w.left(p, goes.name, gone, begin))
			freed.add(w.freed(p, stays.name, begin))
			w.reaches(p, goes.name, dead, sessionID{})
		}
		require.NotEqual(t, victim.Name, goes.here().node)
		w.noneQueued(stays.name, dead)
		quiet()
		w.hush()
		goes.allAnswered()
		back.add(goes.outages[0])
		goes.accounted(1)
		stays.leave()
		goes.leave()

		w.start(i)
		found.add(w.whole())
	}
	w.settled()
	w.books.check(t)
	t.Logf("a killed node's members had left after %v", left)
	t.Logf("its names were free after %v", freed)
	t.Logf("its client had an answer from another node after %v", back)
	t.Logf("a node that was started anew was known by all after %v", found)
	assert.Less(t, max(left.max(), freed.max()), slack)
}

// noneQueued wants no message to a name to have been queued after an instant.
func (w *world) noneQueued(name string, since time.Time) {
	w.t.Helper()
	w.books.mu.Lock()
	defer w.books.mu.Unlock()
	for k, r := range w.books.sent {
		if k.name == name && r.Outcome == "ok" && r.Began > since.UnixNano() {
			w.t.Errorf("%v was queued %v after its node was dead", k, time.Unix(0, r.Began).Sub(since))
		}
	}
}

// allAnswered waits until what a client has said last is answered: all before it then is, or is lost.
func (c *client) allAnswered() {
	c.w.t.Helper()
	testkit.Eventually(c.w.t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.answers[int(c.said.Load())]
	}, "client %s has the answer to its last number: %+v", c.id, c.session.Stats())
}

// accounted wants what a client has said and nodes have not got to have been told as lost. With each kill, a
// node may have acknowledged a number that it had no time to write down.
func (c *client) accounted(kills int) (missing int) {
	c.w.t.Helper()
	c.w.books.mu.Lock()
	defer c.w.books.mu.Unlock()
	missing = int(c.said.Load()) - len(c.w.books.numbers[c.id])
	if missing > int(c.lost.Load())+kills {
		c.w.t.Errorf("client %s: %d of %d numbers have not come, and %d were told as lost", c.id, missing, c.said.Load(), c.lost.Load())
	}
	return missing
}
