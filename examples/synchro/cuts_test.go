package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

const (
	mirrors = 5
	cuts    = 200
)

// Five mirrors count against each other while their connections are cut 200 times, every other time
// within a message. Each command is executed once, and all come to the same state. Without Resume each
// connection begins with a snapshot, with it only the first one does.
func TestCountingUnderCuts(t *testing.T) {
	for _, resume := range []bool{false, true} {
		t.Run(fmt.Sprintf("resume=%t", resume), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { countUnderCuts(t, resume) })
		})
	}
}

func countUnderCuts(t *testing.T, resume bool) {
	w := newWorld(t, netasync.ListenOptions{Resume: true})
	all := make([]*Mirror, mirrors)
	for i := range all {
		all[i] = w.mirror(host(i), MirrorOptions{Connect: netasync.ConnectOptions{Resume: resume}})
	}
	due := make(chan bool, cuts)
	executed := make(map[[2]uint64]int) // by mirror and number
	observer := w.mirror("observer", MirrorOptions{OnChange: func(s State, d *Delta) {
		if d == nil {
			return
		}
		executed[[2]uint64{d.By, d.Seq}]++
		if s.Number%(mirrors*each/cuts) == 0 && len(due) < cuts {
			due <- true
		}
	}})
	time.Sleep(time.Second) // all have a snapshot

	var workers sync.WaitGroup
	for i, m := range all {
		workers.Go(func() {
			for range each {
				if err := increment(t.Context(), m, host(i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range cuts {
		<-due
		w.cut(t, all[i%mirrors], host(i%mirrors), i/mirrors)
	}
	workers.Wait()
	time.Sleep(10 * time.Minute) // heartbeats have brought the last cuts about, and all have heard of everything

	want := make(map[string]int64)
	snapshots, outages := 0, 0
	for i, m := range all {
		want[host(i)] = each
		snapshots += int(m.snapshots.Load())
		outages += int(m.outages.Load())
	}
	for _, m := range append(all, observer) {
		require.Equal(t, want, m.State().Values)
		require.Equal(t, uint64(mirrors*each), m.State().Number)
	}
	require.Len(t, executed, mirrors*each)
	for command, times := range executed {
		require.Equal(t, 1, times, "%v", command)
	}
	w.stop()
	require.Equal(t, want, w.state.Values)

	require.Equal(t, cuts, outages)
	t.Logf("%d outages, %d snapshots", outages, snapshots)
	if resume {
		require.Equal(t, mirrors, snapshots)
	} else {
		// A connection that is cut before its snapshot has come has none.
		require.Greater(t, snapshots, mirrors+cuts*9/10)
		require.LessOrEqual(t, snapshots, mirrors+cuts)
	}
}

// cut cuts the connection of a mirror that has had so many outages before.
func (w *world) cut(t *testing.T, m *Mirror, host string, outages int) {
	for int(m.outages.Load()) < outages {
		time.Sleep(10 * time.Millisecond) // the cut before has not come so far
	}
	require.NoError(t, m.s.WaitConnected(t.Context()))
	switch link := w.net.Link(host, "master"); outages % 4 {
	case 1:
		link.To("master").CutAfter(rand.IntN(300))
	case 3:
		link.To(host).CutAfter(rand.IntN(300))
	default:
		link.Cut(nil)
	}
}

func host(i int) string { return string(rune('a' + i)) }
