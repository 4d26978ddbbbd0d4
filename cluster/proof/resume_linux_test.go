package proof

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// crowd are clients behind an address that leads to any node, and that talk.
type crowd struct {
	w     *world
	all   []*client
	quiet context.CancelFunc
}

// crowd connects clients and has each say a number every so often.
func (w *world) crowd(size int, every time.Duration, cuttable bool) *crowd {
	ctx, quiet := context.WithCancel(context.Background())
	w.t.Cleanup(quiet)
	c := &crowd{w: w, quiet: quiet}
	for i := range size {
		one := w.join(fmt.Sprint("c", i), fmt.Sprint("client/", i), cuttable, i%nodes, (i+1)%nodes, (i+2)%nodes)
		if c.all = append(c.all, one); i%100 == 99 { // they come in a crowd, but not in a flood
			one.here()
		}
	}
	for _, one := range c.all {
		one.here()
		w.clients.Go(func() { one.talk(ctx, every) })
	}
	return c
}

// quieten ends their talking, and waits until what they have said is answered or lost.
func (c *crowd) quieten() {
	c.w.t.Helper()
	c.quiet()
	for _, one := range c.all {
		// One more goes behind all that was said: talk has ended, or will do no more than this.
		one.allAnswered()
	}
}

// sums adds up what the clients have counted.
func (c *crowd) sums() (said, answered, resumed, fresh, lost int64) {
	for _, one := range c.all {
		said += one.said.Load()
		answered += one.answered.Load()
		resumed += one.resumed.Load()
		fresh += one.fresh.Load() - 1
		lost += one.lost.Load()
	}
	return said, answered, resumed, fresh, lost
}

// told is what sessions of a client have said of answers that may not have come.
func (b *books) told(client string) (n int64) {
	for _, r := range b.find(closedOf, func(r report) bool { return r.Client == client }) {
		n += int64(r.Queued + r.Lost)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return n + int64(b.refused[client])
}

// haunt cuts connections and stops nodes for a while, each for less than others wait for it.
func (c *crowd) haunt(f *faults, length time.Duration, stops bool, also func()) (cuts int) {
	stopped, again := -1, time.Time{}
	for end := time.Now().Add(length); time.Now().Before(end); cuts++ {
		c.all[f.rng.IntN(len(c.all))].cut()
		if stops && time.Now().After(again) {
			if stopped >= 0 {
				c.w.nodes[stopped].signal(syscall.SIGCONT)
				stopped, again = -1, time.Now().Add(f.between(100*time.Millisecond, time.Second))
			} else {
				stopped, again = f.rng.IntN(nodes), time.Now().Add(f.between(10*time.Millisecond, 300*time.Millisecond))
				c.w.nodes[stopped].signal(syscall.SIGSTOP)
			}
		}
		if also != nil && stopped < 0 {
			also()
		}
		time.Sleep(f.between(0, 4*often))
	}
	if stopped >= 0 {
		c.w.nodes[stopped].signal(syscall.SIGCONT)
	}
	return cuts
}

// Connections are cut, and nodes are stopped for moments: clients that come back at any node go on exactly
// once, both ways. Where a node could not be reached a session begins anew, and what is missing is told.
func TestResumeAnywhere(t *testing.T) {
	w := newWorld(t, true)
	c := w.crowd(20, 2*often, true)
	f := w.faults(nil)
	cuts := c.haunt(f, *length/2, false, nil)
	_, _, cutResumed, cutFresh, _ := c.sums()
	cuts += c.haunt(f, *length/2, true, nil)
	c.quieten()
	for _, one := range c.all {
		missing := one.accounted(0)
		unanswered := one.said.Load() - one.answered.Load()
		if one.fresh.Load() == 1 {
			require.Zero(t, missing, "client %s: exactly once", one.id)
			require.Zero(t, unanswered, "client %s: exactly once, back, too", one.id)
		}
		require.LessOrEqual(t, unanswered, one.lost.Load()+w.books.told(one.id), "client %s: what is missing was told", one.id)
	}
	w.books.check(t)
	said, answered, resumed, fresh, lost := c.sums()
	t.Logf("%d cuts: %d of %d numbers answered; sessions went on %d times, and began anew %d times (%d and %d before nodes were stopped); %d told as lost",
		cuts, answered, said, resumed, fresh, cutResumed, cutFresh, lost)
	require.LessOrEqual(t, cutFresh*20, cutResumed, "connections alone were cut: sessions go on")
	require.LessOrEqual(t, fresh*5, resumed, "nodes were stopped for moments: most sessions go on")
}

// The same, and nodes are killed: whenever a number is missing, it was told as lost.
func TestResumeBesideKills(t *testing.T) {
	w := newWorld(t, true)
	c := w.crowd(20, 2*often, true)
	f := w.faults(nil)
	kills, next := 0, time.Now().Add(time.Second)
	cuts := c.haunt(f, *length, true, func() {
		if time.Now().Before(next) {
			return
		}
		i := f.rng.IntN(nodes)
		w.books.kills(w.nodes[i])
		w.start(i)
		kills++
		next = time.Now().Add(f.between(time.Second, 3*time.Second))
	})
	c.quieten()
	missing := 0
	for _, one := range c.all {
		missing += one.accounted(kills)
	}
	w.books.check(t)
	said, answered, resumed, fresh, lost := c.sums()
	t.Logf("%d kills, %d cuts: %d numbers, %d have not come, %d were told as lost; %d answers were lost with nodes; sessions went on %d times, and began anew %d times",
		kills, cuts, said, missing, lost, said-answered-int64(missing), resumed, fresh)
}
