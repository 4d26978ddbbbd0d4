package proof

import (
	"fmt"
	"testing"
	"time"

	"github.com/netasync/netasync/internal/testkit"
)

// Names move from node to node, and all nodes send numbered messages to them, while all faults happen. The
// numbers of one sender only grow in a session, none comes twice anywhere, and what was queued has come or
// was told to be unsent, unless its node was killed.
func TestNamesMove(t *testing.T) {
	const names = 6
	w := newWorld(t, true)
	send := func(p *process) {
		for i := range names {
			p.send(fmt.Sprint("name/", i), 2*often)
			p.stream(fmt.Sprint("name/", i), 2*often)
		}
	}
	f := w.faults(send)
	now, moves := map[int]*client{}, 0
	move := func(i, place int) {
		if old := now[i]; old != nil {
			old.retire()
		}
		moves++
		now[i] = w.join(fmt.Sprint("c", moves), fmt.Sprint("name/", i), false, place, (place+1)%nodes, (place+2)%nodes)
	}
	for i := range names {
		move(i, i%nodes)
	}
	for _, p := range w.nodes {
		send(p)
	}
	for end := time.Now().Add(*length * 2); time.Now().Before(end) || len(f.counts) < 4; {
		f.step()
		move(f.rng.IntN(names), f.rng.IntN(nodes))
		time.Sleep(f.between(0, 300*time.Millisecond))
	}
	f.end()
	mended := time.Now()
	found := w.whole()
	for i, c := range now {
		for _, p := range w.nodes {
			w.reaches(p, fmt.Sprint("name/", i), mended, sessionID{})
		}
		w.one(c)
	}
	all := time.Since(mended)
	w.hush()
	w.settled()
	w.books.check(t)
	t.Logf("faults: %v; names moved %d times; after the last fault all nodes knew each other after %v, and reached all names after %v",
		f, moves, found.Round(time.Millisecond), all.Round(time.Millisecond))
}

// one waits until all nodes know one and the same member of a client's name, which is the client's
// session.
func (w *world) one(c *client) {
	w.t.Helper()
	var found []string
	for _, p := range w.nodes {
		testkit.Eventually(w.t, func() bool {
			found = nil
			at := c.here()
			for _, m := range p.ask(order{Do: "members"}, "members").Found {
				if len(m) > len(c.name) && m[:len(c.name)+1] == c.name+"@" {
					found = append(found, m)
				}
			}
			return len(found) == 1 && found[0] == fmt.Sprintf("%s@%s/%d", c.name, at.node, at.session)
		}, "%s knows that %s is %v alone", p.Name, c.name, c.here())
	}
}
