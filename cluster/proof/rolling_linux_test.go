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
	beats := period
	if *clients > 1000 { // heartbeats alone would keep the machine busy
		beats = 10 * period
	}
	w := newWorldOf(t, false, beats)
	every := max(10*often, time.Duration(*clients)*time.Millisecond/2)
	c := w.crowd(*clients, every, true)
	t.Logf("%d clients have come", len(c.all))
	for i := 0; i < len(c.all); i += 2 { // half of them come by another node than that of their session
		c.all[i].cut()
	}
	c.answeredAgain()
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
		c.answeredAgain()
		time.Sleep(time.Second) // so that there is something to be lost everywhere
	}
	w.hush()
	c.quieten()
	var outages figures
	told := int64(0)
	for _, one := range c.all {
		one.mu.Lock()
		for _, d := range one.outages {
			outages.add(d)
		}
		one.mu.Unlock()
		unanswered := one.said.Load() - one.answered.Load()
		told += w.books.told(one.id)
		require.LessOrEqual(t, unanswered, one.lost.Load()+w.books.told(one.id), "client %s: what is missing was told", one.id)
	}
	w.settled()
	w.books.check(t)
	said, answered, resumed, fresh, lost := c.sums()
	t.Logf("%d clients, a number each %v: %d said, %d not answered; %d were told as lost, and %d answers; sessions began anew %d times, and went on %d times",
		len(c.all), every, said, said-answered, lost, told, fresh, resumed)
	t.Logf("a node took %v to end; a client was without an answer for %v", ends, outages)
	require.Less(t, outages.max(), testkit.Patience)
}

// answeredAgain waits until no client waits for its first answer after an outage.
func (c *crowd) answeredAgain() {
	c.w.t.Helper()
	for _, one := range c.all {
		testkit.Eventually(c.w.t, func() bool {
			one.mu.Lock()
			defer one.mu.Unlock()
			return one.gone.IsZero()
		}, "client %s has an answer again: %+v", one.id, one.session.Stats())
	}
}
