package engine

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// The hand-over between loop and stream, in every order of what can happen to a link, to a stated
// depth. A step is one event of scene.go, which is one stretch between two releases of a lock or two
// waits: a callback of the loop, the loop's answer to an offer, a call of the user's, a doing of the
// peer's. What the two goroutines do between, the reader off the loop and a writer that waits, is not
// forced into an order: each comes to its next wait, or nearly so, before the next event. The order of
// single instructions is left to the race detector and to TestHandOverUnderStress.
//
// After each order of events all that must happen does. Then every message that came was delivered
// once and in order, or the end was told; all was sent, or the end was told; Closed came; the link was
// released, and once; no descriptor is left, and nothing was written to a number after its end.

// beginnings are where the orders begin: each is a row of events.
var beginnings = []string{
	"t",      // on the loop
	"tbl",    // off the loop, and waiting for room; the old OnClose is to come
	"tblt",   // on the way back; the old OnClose is to come
	"tblcto", // back on the loop
	"tsblct", // off the loop, while a write waits
	"tblcts", // on the way back, while a write waits
}

// exploreDepth is how many events follow a beginning: so up to six more than these happen.
func exploreDepth() int {
	if depth, err := strconv.Atoi(os.Getenv("NETASYNC_EXPLORE_DEPTH")); err == nil {
		return depth
	}
	return 3
}

func TestHandOverInEveryOrder(t *testing.T) {
	depth := exploreDepth()
	letters := slices.Sorted(maps.Keys(events))
	var orders atomic.Int64
	var failed sync.Map
	var all sync.WaitGroup
	limit := make(chan struct{}, 8)
	for _, begin := range beginnings {
		for _, first := range letters {
			all.Go(func() {
				limit <- struct{}{}
				defer func() { <-limit }()
				explore(begin+string(first), len(begin)+depth, letters, func(order string, err error) {
					orders.Add(1)
					if err != nil {
						failed.Store(order, err)
					}
				})
			})
		}
	}
	all.Wait()
	count := 0
	for order, err := range failed.Range {
		if count++; count <= 10 {
			t.Errorf("%s: %v", order, err)
		}
	}
	t.Logf("%d orders of %d events, to a depth of %d behind %d beginnings", orders.Load(), len(letters), depth, len(beginnings))
	require.Zero(t, count, "of %d orders", orders.Load())
	if depth >= 3 {
		require.Greater(t, orders.Load(), int64(3000), "orders: the events do nothing")
	}
}

// explore plays an order of events, and all longer ones that begin with it. An event that changes
// nothing ends an order: without it, it is another one.
func explore(order string, length int, letters []byte, report func(order string, err error)) {
	changed, next, err := play(order, letters)
	if !changed {
		return
	}
	report(order, err)
	if len(order) < length && err == nil {
		for _, letter := range next {
			explore(order+string(letter), length, letters, report)
		}
	}
}

// play plays an order of events, and reports whether the last one changed anything, and which may be
// next.
func play(order string, letters []byte) (changed bool, next []byte, err error) {
	x, err := newScene()
	if err != nil {
		return true, nil, fmt.Errorf("no scene: %w", err)
	}
	for i := range order {
		changed = events[order[i]](x)
		x.settle()
	}
	if changed {
		next = slices.DeleteFunc(slices.Clone(letters), func(letter byte) bool { return !x.may(letter) })
	}
	return changed, next, x.finish()
}
