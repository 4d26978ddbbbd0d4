package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/netasynctest"
)

// follows says the first words of a mirror, and returns the ticket that it gets.
func (p peer) follows(ticket string) *snapshot {
	p.t.Helper()
	p.says(message{Follow: &follow{ticket}})
	m := p.hears()
	require.NotNil(p.t, m.Snapshot)
	return m.Snapshot
}

func (p peer) asks(ticket string, seq uint64, c Command) message {
	p.t.Helper()
	p.says(message{Ask: &ask{ticket, seq, c}})
	return p.hears()
}

// A peer that speaks nonsense is thrown out, and nobody else notices.
func TestMirrorThatLies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netasync.ListenOptions{})
		honest := w.mirror("honest", MirrorOptions{})
		lies := append(nonsense, `{"ask":{"seq":1}}`, `{"snapshot":{}}`, `{"delta":{}}`, `{"answer":{}}`)
		for _, text := range lies {
			for _, follows := range []bool{false, true} {
				if follows && text == `{"ask":{"seq":1}}` {
					continue
				}
				p := w.peer("liar")
				ticket := ""
				if follows {
					ticket = p.follows("").Ticket
				}
				batch := [][]byte{[]byte(text)}
				if !follows {
					batch = append(batch, message{Follow: &follow{}}.encode())
				}
				batch = append(batch, message{Ask: &ask{ticket, 1, add("n", 1000)}}.encode()) // is not heard
				_, err := p.SendBatch(t.Context(), batch)
				require.NoError(t, err)
				netasynctest.Expect(t, p, netasynctest.IsDisconnected(nil))
				p.CloseNow(nil)
				require.NoError(t, honest.Do(t.Context(), add("n", 1)), text)
			}
		}
		p := w.peer("liar")
		ticket := p.follows("").Ticket
		require.NoError(t, p.Send(t.Context(), message{Ask: &ask{ticket, 0, add("n", 1000)}}.encode()))
		netasynctest.Expect(t, p, netasynctest.IsDisconnected(nil))
		p.CloseNow(nil)
		require.Equal(t, values("n", 2*len(lies)-1), honest.State().Values)
		require.Zero(t, honest.outages.Load())
	})
}

// What was executed is not executed again, what was refused is not executed later, and what is forgotten
// is not executed at all.
func TestAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netasync.ListenOptions{})
		p := w.peer("a")
		ticket := p.follows("").Ticket
		guarded := Command{Ensure: values("n", 1), Add: values("n", 100)}
		require.Equal(t, &answer{Seq: 1, Version: 0, Refused: true}, p.asks(ticket, 1, guarded).Answer)
		require.Equal(t, uint64(2), p.asks(ticket, 2, add("n", 1)).Delta.Seq)
		require.Equal(t, &answer{Seq: 1, Version: 0, Refused: true}, p.asks(ticket, 1, guarded).Answer)
		require.Equal(t, &answer{Seq: 2, Version: 1}, p.asks(ticket, 2, add("n", 1)).Answer)
		require.Equal(t, uint64(5000), p.asks(ticket, 5000, add("n", 1)).Delta.Seq)
		require.Equal(t, &answer{Seq: 3, Lost: true}, p.asks(ticket, 3, add("n", 1)).Answer)
		require.Equal(t, &answer{Seq: 9, Lost: true}, p.asks("of another master", 9, add("n", 1)).Answer)
		require.Equal(t, &answer{Seq: 4999, Lost: true}, p.asks("of another master", 4999, add("n", 1)).Answer)
		require.Equal(t, values("n", 2), p.follows("").Values)

		// The same holds on the next connection, and no ticket is known to others.
		p.CloseNow(nil)
		time.Sleep(time.Second)
		p = w.peer("a")
		again := p.follows(ticket)
		require.Equal(t, ticket, again.Ticket)
		require.Equal(t, &answer{Seq: 2, Version: 1}, p.asks(ticket, 2, add("n", 1)).Answer)
		other := w.peer("b").follows("guessed")
		require.NotContains(t, []string{ticket, "guessed"}, other.Ticket)
		require.NotEqual(t, again.Mirror, other.Mirror)
	})
}

// A mirror comes back while the master has not noticed that its old connection is dead.
func TestComesBackBeforeItIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netasync.ListenOptions{})
		old := w.peer("a")
		ticket := old.follows("").Ticket
		require.NotNil(t, old.asks(ticket, 1, add("n", 1)).Delta)
		p := w.peer("b")
		require.Equal(t, ticket, p.follows(ticket).Ticket)
		netasynctest.Expect(t, old, netasynctest.IsDisconnected(nil))
		old.CloseNow(nil)
		time.Sleep(time.Second)
		require.Equal(t, &answer{Seq: 1, Version: 1}, p.asks(ticket, 1, add("n", 1)).Answer)
		require.NotNil(t, p.asks(ticket, 2, add("n", 1)).Delta)
		w.stop()
		require.Empty(t, w.absent)
	})
}
