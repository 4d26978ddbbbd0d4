package cluster

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Who reads when he likes knows in the end who is there, and is told nothing that he knows.
func TestWatcherKeepsUp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		d := newDirectory(1)
		w := &watcher{ready: make(chan struct{}, 1), last: map[memberID]Presence{}, told: map[memberID]Member{}}
		d.watch["room"] = map[*watcher]struct{}{w: {}}
		known := map[memberID]Member{}
		read := func() bool {
			p, ok := w.next()
			if !ok {
				return false
			}
			before, was := known[p.id()]
			if p.Kind == Joined {
				require.False(t, was && before == p.Member, "he knows")
				known[p.id()] = p.Member
			} else {
				require.True(t, was, "he does not know who left")
				require.Equal(t, before, p.Member)
				delete(known, p.id())
			}
			return true
		}
		for range 60 {
			e := entry{kind: kindMember, key: "room", session: random.Uint64N(3), meta: fmt.Sprint(random.IntN(2))}
			d.own(change{entry: e, gone: random.IntN(3) == 0})
			if random.IntN(2) == 0 {
				read()
			}
			require.LessOrEqual(t, w.order.Len(), 3, "one for each member")
		}
		for read() {
		}
		want := map[memberID]Member{}
		for id, m := range d.rooms["room"] {
			want[id] = *m
		}
		require.Equal(t, want, known)
		require.Empty(t, w.last)
	}
}
