package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// office is a session that had a name for a while, and what its client has got.
type office struct {
	accepted *netasync.Session
	mu       sync.Mutex
	got      map[string][]int // by who sent it, in order
}

// take opens an office for a name at a node.
func (w *bustle) take(name string, at int) {
	o := &office{got: map[string][]int{}}
	p := w.nodes[at]
	client, err := w.engine.Connect(p.listener.Addr().String(), netasync.ConnectOptions{
		OnEvent: func(_ *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				var from string
				var number int
				_, _ = fmt.Sscan(string(ev.Payload), &from, &number)
				o.mu.Lock()
				o.got[from] = append(o.got[from], number)
				o.mu.Unlock()
			}
		},
		Backoff: netasync.FixedDelay(time.Hour), // it does not come back as another one
	})
	require.NoError(w.t, err)
	o.accepted = <-p.listener.AcceptChan()
	require.NoError(w.t, client.WaitConnected(within(w.t)))
	_, err = p.Claim(within(w.t), name, o.accepted, Replace)
	require.NoError(w.t, err)
	w.offices[name] = append(w.offices[name], o)
}

// bustle is names that move between nodes while all of them send.
type bustle struct {
	t       *testing.T
	nodes   []*place
	engine  *netasync.Engine
	offices map[string][]*office
}

// ledger is what became of one stream's messages.
type ledger struct{ accepted, notQueued, unknown int }

// talk sends numbered messages until it is over.
func talk(t *testing.T, s *RemoteSession, from string, over <-chan struct{}) (l ledger) {
	told := func(err error) {
		var e *UndeliveredError
		switch {
		case errors.As(err, &e):
			l.notQueued += e.NotQueued
			l.unknown += e.Unknown
		case err != nil:
			t.Error(err)
		}
	}
	for {
		select {
		case <-over:
			told(s.Flush(within(t)))
			return l
		default:
		}
		switch err := s.Send(context.Background(), fmt.Append(nil, from, " ", l.accepted)); {
		case err == nil:
			l.accepted++
		case !errors.Is(err, ErrNoSession) && !errors.Is(err, ErrNoLink):
			t.Error(err)
		default:
			time.Sleep(time.Millisecond) // as a user would
		}
		if rand.IntN(1000) == 0 {
			told(s.Flush(within(t)))
		}
		if rand.IntN(50) == 0 {
			time.Sleep(time.Millisecond) // so that others have the processor, too
		}
	}
}

// Names move between three nodes, which forget each other now and then, while each node has a stream to
// each name: all messages are queued once, in order, or reported.
func TestStreamsWhileNamesMove(t *testing.T) {
	for _, faults := range []bool{false, true} {
		t.Run(fmt.Sprint("faults=", faults), func(t *testing.T) { streamsWhileNamesMove(t, faults) })
	}
}

func streamsWhileNamesMove(t *testing.T, faults bool) {
	w := &bustle{t: t, nodes: startMany(t, 3), engine: newEngine(t), offices: map[string][]*office{}}
	names := []string{"ada", "bob", "eve"}
	for i, name := range names {
		w.take(name, i)
	}
	over := make(chan struct{})
	ledgers := map[string][]ledger{}
	var mu sync.Mutex
	var talking sync.WaitGroup
	for i, n := range w.nodes {
		for _, name := range names {
			talking.Go(func() {
				l := talk(t, n.Session(name), fmt.Sprint("from", i), over)
				mu.Lock()
				defer mu.Unlock()
				ledgers[name] = append(ledgers[name], l)
			})
		}
	}
	for range 25 {
		name := names[rand.IntN(len(names))]
		if faults && rand.IntN(4) == 0 {
			w.offices[name][len(w.offices[name])-1].accepted.CloseNow(nil)
		}
		w.take(name, rand.IntN(3))
		if faults && rand.IntN(4) == 0 {
			a := rand.IntN(3)
			w.nodes[a].forget(w.nodes[(a+1+rand.IntN(2))%3].id, "was forgotten by the test")
		}
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) // so that some is sent
	}
	close(over)
	talking.Wait()
	for _, name := range names {
		w.check(name, ledgers[name], faults)
	}
}

// check compares what a name's sessions have got with what its senders were told.
func (w *bustle) check(name string, ledgers []ledger, faults bool) {
	var sum ledger
	for _, l := range ledgers {
		sum.accepted += l.accepted
		sum.notQueued += l.notQueued
		sum.unknown += l.unknown
	}
	queued := 0
	seen := map[string]bool{}
	last := map[string]int{}
	for _, o := range w.offices[name] {
		queued += int(o.accepted.Stats().Accepted)
		if faults { // an office may have had the name again after a later one
			clear(last)
		}
		o.mu.Lock()
		for from, numbers := range o.got {
			for _, number := range numbers {
				id := fmt.Sprint(from, " ", number)
				if before, any := last[from]; any && number <= before || seen[id] {
					w.t.Errorf("%v: %v comes behind %d, or twice", name, id, before)
				}
				last[from], seen[id] = number, true
			}
		}
		o.mu.Unlock()
	}
	w.t.Logf("%v: %+v, %d queued at %d sessions", name, sum, queued, len(w.offices[name]))
	require.LessOrEqual(w.t, queued, sum.accepted-sum.notQueued)
	require.GreaterOrEqual(w.t, queued, sum.accepted-sum.notQueued-sum.unknown)
	if !faults {
		require.Zero(w.t, sum.unknown)
	}
}
