package proof

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// Each node in turn is shut down and started anew, while clients talk. What is missing afterwards was
// told, and no client is away for long.
func TestRollingRestart(t *testing.T) {
	w := newWorld(t, false)
	every := max(10*often, time.Duration(*clients)*time.Millisecond)
	c := w.crowd(*clients, every, false)
	for _, p := range w.nodes {
		p.send(c.all[0].name, often)
	}
	var ends figures
	for i := range nodes {
		begin := time.Now()
		w.nodes[i].shutdown()
		ends.add(time.Since(begin))
		w.start(i).send(c.all[0].name, often)
		w.whole()
		for _, one := range c.all {
			testkit.Eventually(t, func() bool {
				one.mu.Lock()
				defer one.mu.Unlock()
				return one.gone.IsZero()
			}, "client %s has an answer again: %+v", one.id, one.session.Stats())
		}
	}
	w.hush()
	c.quieten()
	var outages figures
	for _, one := range c.all {
		one.mu.Lock()
		for _, d := range one.outages {
			outages.add(d)
		}
		one.mu.Unlock()
		unanswered := one.said.Load() - one.answered.Load()
		require.LessOrEqual(t, unanswered, one.lost.Load()+w.books.told(one.id), "client %s: what is missing was told", one.id)
	}
	w.settled()
	w.books.check(t)
	said, answered, resumed, fresh, lost := c.sums()
	t.Logf("%d clients, a number each %v: %d said, %d not answered; %d were told as lost, and %d answers; sessions began anew %d times, and went on %d times",
		len(c.all), every, said, said-answered, lost, w.books.unsent(), fresh, resumed)
	t.Logf("a node took %v to end; a client was without an answer for %v", ends, outages)
	require.Less(t, outages.max(), testkit.Patience)
}
