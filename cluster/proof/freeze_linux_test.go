package proof

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// away is how long a node is away.
const away = 6 * time.Second

// A node is stopped, and continued: see returns.
func TestNodeIsStopped(t *testing.T) {
	w := newWorld(t, true)
	w.returns(func() { w.nodes[0].signal(syscall.SIGSTOP) }, func() { w.nodes[0].signal(syscall.SIGCONT) })
}

// A node's cables are pulled, and plugged in again: see returns.
func TestNodeIsUnplugged(t *testing.T) {
	w := newWorld(t, true)
	w.returns(func() { unplug(t, 0, true) }, func() { unplug(t, 0, false) })
}

// returns has node 0 go away and come back. The others forget it meanwhile, and find it again. A name of
// its that was claimed elsewhere is no longer its own, and that session is closed with ErrReplaced; one
// that was not claimed works again, and its client goes on exactly once.
func (w *world) returns(do, undo func()) {
	t := w.t
	stays := w.join("s", "stays", false, 0)
	moves := w.join("m", "moves", false, 0)
	was, lost := stays.here(), moves.here()
	ctx, quiet := context.WithCancel(context.Background())
	defer quiet()
	w.clients.Go(func() { stays.talk(ctx, often) })
	begin := time.Now()
	for _, p := range w.nodes {
		for _, c := range []*client{stays, moves} {
			p.send(c.name, often)
			w.reaches(p, c.name, begin, c.here())
		}
	}
	moves.retire()

	begin = time.Now()
	do()
	var left, freed figures
	for _, p := range w.others(0) {
		left.add(w.left(p, stays.name, was, begin))
		left.add(w.left(p, moves.name, lost, begin))
		freed.add(w.freed(p, stays.name, begin))
	}
	again := w.join("m2", "moves", false, 1)
	for _, p := range w.others(0) {
		w.reaches(p, again.name, begin, again.here())
	}
	time.Sleep(time.Until(begin.Add(away)))

	back := time.Now()
	undo()
	found := w.whole()
	r := w.replaced(lost)
	for _, p := range w.nodes {
		w.reaches(p, stays.name, back, was)
	}
	heard := time.Since(back)
	w.reaches(w.nodes[0], again.name, back, again.here())
	quiet()
	w.hush()
	stays.allAnswered()
	require.EqualValues(t, 1, stays.fresh.Load(), "its session goes on")
	require.Positive(t, stays.resumed.Load())
	require.Zero(t, stays.accounted(0), "exactly once")
	testkit.Eventually(t, func() bool { return stays.answered.Load() == stays.said.Load() }, "exactly once, back, too")
	w.settled()
	w.books.check(t)
	t.Logf("members of a node that went away had left after %v", left)
	t.Logf("its names were free after %v", freed)
	t.Logf("when it had come back, all knew each other after %v, a name that was claimed elsewhere was closed after %v, and its own were reached from everywhere after %v",
		found.Round(time.Millisecond), time.Unix(0, r.At).Sub(back).Round(time.Millisecond), heard.Round(time.Millisecond))
	assert.Less(t, max(left.max(), freed.max()), slack)
}
