package chanclosed

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The runtime that the tests run on has the word. If a release of Go has it no more, this fails, and
// all others go on without hints.
func TestTheWordIsFound(t *testing.T) {
	at, found := find(samples())
	require.True(t, found, "%s has no such word: there are no hints", runtime.Version())
	t.Logf("%s, %s: word %d of %d", runtime.Version(), runtime.GOARCH, at, words)
}

// A close is seen whatever the channel holds, and nothing else is taken for one.
func TestCloseIsSeenInAllStates(t *testing.T) {
	for _, capacity := range []int{0, 1, 8, 64, 1000} {
		for _, held := range []int{0, 1, capacity / 2, capacity} {
			if held > capacity {
				continue
			}
			t.Run(fmt.Sprint(capacity, held), func(t *testing.T) {
				c := make(chan []byte, capacity)
				h := Of(c)
				require.True(t, h.Known())
				for range held {
					c <- []byte("element")
				}
				require.False(t, h.Closed())
				close(c)
				require.True(t, h.Closed())
				for range c {
				}
				require.True(t, h.Closed())
			})
		}
	}
}

// Parties that are blocked are no close.
func TestBlockedPartiesAreNoClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full, empty := make(chan []byte, 1), make(chan []byte, 1)
		full <- nil
		for range 3 {
			go func() { full <- nil }()
			go func() { <-empty }()
		}
		synctest.Wait()
		require.False(t, Of(full).Closed())
		require.False(t, Of(empty).Closed())
		close(empty)
		require.True(t, Of(empty).Closed())
		for range 4 {
			<-full
		}
	})
}

// The hint may be asked for while others send, receive and close, and while the garbage collector
// runs. The race detector looks, too.
func TestHintBesideOtherUse(t *testing.T) {
	for range 20 {
		c := make(chan []byte, 8)
		h := Of(c)
		var all sync.WaitGroup
		all.Go(func() {
			for range 1000 {
				c <- make([]byte, 10)
			}
			close(c)
		})
		all.Go(func() {
			for range 500 {
				<-c
			}
			for !h.Closed() && len(c) < cap(c) {
				runtime.Gosched()
			}
			for range c {
			}
		})
		all.Go(runtime.GC)
		testkit.Eventually(t, h.Closed, "the close is seen")
		all.Wait()
	}
}

// A hint keeps its channel.
func TestHintOutlivesTheChannel(t *testing.T) {
	var hints []Hint
	for i := range 1000 {
		c := make(chan []byte, 8)
		if i%2 == 0 {
			close(c)
		}
		hints = append(hints, Of(c))
	}
	runtime.GC()
	for i, h := range hints {
		require.Equal(t, i%2 == 0, h.Closed())
	}
}

// Where the word cannot be told for sure there is no hint.
func TestNoHintWhereTheWordIsNotSure(t *testing.T) {
	with := func(values ...uint32) (h header) {
		copy(h[:], values)
		return h
	}
	for name, c := range map[string]struct{ open, closed []header }{
		"nothing to compare": {nil, nil},
		"no such word":       {[]header{with(1, 5)}, []header{with(1, 5)}},
		"two such words":     {[]header{with(0, 0)}, []header{with(1, 1)}},
		"not in all closed":  {[]header{with(0)}, []header{with(1), with(0)}},
		"not in all open":    {[]header{with(0), with(1)}, []header{with(1)}},
		"another value":      {[]header{with(0)}, []header{with(2)}},
		"the other way":      {[]header{with(1)}, []header{with(0)}},
	} {
		_, found := find(c.open, c.closed)
		require.False(t, found, name)
	}
	at, found := find([]header{with(0, 0, 7)}, []header{with(0, 1, 7)})
	require.True(t, found)
	require.Equal(t, 1, at)
}

// The zero hint, and one that is distrusted, never says that a channel is closed.
func TestNoHintSaysOpen(t *testing.T) {
	require.False(t, Hint{}.Closed())
	require.False(t, Hint{}.Known())
	c := make(chan []byte)
	close(c)
	h := Of(c)
	require.True(t, h.Closed())
	undo := Distrust()
	require.False(t, h.Closed())
	require.False(t, h.Known())
	require.False(t, Of(c).Closed())
	undo()
	require.True(t, h.Closed())
}
