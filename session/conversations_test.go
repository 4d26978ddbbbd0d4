package session

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/testkit"
)

// consumer takes the events of a session in one of the ways there are, and checks them.
type consumer struct {
	t    *testing.T
	s    *Session
	way  string
	echo bool
	busy atomic.Bool // a callback runs

	// of the goroutine that consumes
	connected bool
	epoch     uint64
	messages  [senders]testkit.Sequence
	got       uint64
	closed    Event
	over      chan struct{} // closed with Closed, or at the end if there is none

	accepted atomic.Uint64 // messages that the session has accepted from its user
}

const senders = 3

var consumerWays = []string{"Recv", "ReadChan", "ReadChan late", "both", "callbacks", "Inline", "Inline"}

func newConsumer(t *testing.T, dialed bool) *consumer {
	way := consumerWays[rand.IntN(len(consumerWays))]
	u := &consumer{t: t, way: way, echo: !dialed, over: make(chan struct{})}
	for i := range u.messages {
		u.messages[i].Gaps = true // outages, and lossy buffers
	}
	cfg := &Config{
		Start: time.Now(), HeartbeatPeriod: 5 * time.Millisecond, HeartbeatTimeout: time.Minute,
		Linger: 50 * time.Millisecond, MaxPayload: codec.DefaultMaxPayload, Host: fakeHost{},
	}
	var err error
	cfg.ReadBuffer, err = randomBuffer().Resolve("ReadBuffer", DefaultReadBytes)
	require.NoError(t, err)
	cfg.WriteBuffer, err = randomBuffer().Resolve("WriteBuffer", DefaultWriteBytes)
	require.NoError(t, err)
	if cfg.Inline = u.way == "Inline"; cfg.Inline || u.way == "callbacks" {
		cfg.OnEvent = u.callback
	}
	u.s = New(1, cfg, unbound{"fake"})
	return u
}

func randomBuffer() Buffer {
	b := Buffer{Cap: 1 + rand.IntN(100), Policy: Policy(max(0, rand.IntN(6)-3))}
	if rand.IntN(3) == 0 {
		b.Bytes = 1 + rand.IntN(30_000)
	}
	return b
}

func (u *consumer) callback(_ *Session, ev Event) {
	assert.False(u.t, u.busy.Swap(true), "two callbacks at once")
	u.take(ev)
	if u.busy.Store(false); ev.Kind == Closed {
		close(u.over)
	}
}

// consume takes events until there are no more, unless callbacks do.
func (u *consumer) consume() {
	if u.s.cfg.OnEvent != nil {
		return
	}
	defer close(u.over)
	late := map[string]int{"Recv": 1 << 30, "ReadChan": 0}
	from, known := late[u.way]
	if !known {
		from = rand.IntN(100)
	}
	for i := 0; ; i++ {
		if i >= from && (u.way != "both" || i%2 == 0) {
			ev, open := <-u.s.ReadChan()
			if !open {
				return
			}
			u.take(ev)
			continue
		}
		ev, err := u.s.Recv(context.Background())
		if errors.Is(err, io.EOF) {
			return
		}
		assert.NoError(u.t, err)
		u.take(ev)
	}
}

func (u *consumer) take(ev Event) {
	assert.Zero(u.t, u.closed, "%v after Closed", ev.Kind)
	switch ev.Kind {
	case Connected:
		assert.False(u.t, u.connected)
		assert.Greater(u.t, ev.Epoch, u.epoch)
		u.connected, u.epoch = true, ev.Epoch
	case Message:
		assert.True(u.t, u.connected)
		assert.Equal(u.t, u.epoch, ev.Epoch)
		u.message(ev.Payload)
	case Disconnected:
		assert.True(u.t, u.connected || ev.Epoch == 0)
		assert.Equal(u.t, u.epoch, ev.Epoch)
		u.connected = false
	case Closed:
		u.closed = ev
	}
}

// message checks message i of sender i % senders, and echoes it.
func (u *consumer) message(m []byte) {
	u.got++
	i, err := testkit.Number(m)
	assert.NoError(u.t, err)
	assert.NoError(u.t, u.messages[i%senders].Take(m))
	if u.echo && u.s.Send(context.Background(), m) == nil {
		u.accepted.Add(1)
	}
}

// send sends numbered messages until the session does not take them any more.
func (u *consumer) send(sender int, byChan bool, largest int) {
	for i := range 200 {
		m := testkit.Numbered(i*senders+sender, testkit.MinNumbered+rand.IntN(largest))
		if byChan {
			u.s.WriteChan() <- m
		} else if u.s.Send(context.Background(), m) != nil {
			return
		}
		u.accepted.Add(1)
	}
}

// check checks the accounts of a session that has closed.
func (u *consumer) check() {
	testkit.Ended(u.t, u.s.Done())
	if u.s.dial != nil || u.s.epoch > 0 {
		testkit.Ended(u.t, u.over)
		require.Equal(u.t, Closed, u.closed.Kind)
		require.Equal(u.t, u.s.Stats().Queued, u.closed.Queued)
	}
	dropped := u.s.stats.dropped
	testkit.Eventually(u.t, func() bool {
		st := u.s.Stats() // what came too late is counted late
		return u.accepted.Load() == st.Sent+uint64(st.Queued)+dropped+st.Discarded
	}, "%d accepted, %d dropped, %+v", u.accepted.Load(), dropped, u.s.Stats())
	st := u.s.Stats()
	require.Equal(u.t, st.Received, u.got+st.Dropped-dropped)
	require.Zero(u.t, st.Unread)
}

// Whatever the policies, the ways to consume, the sizes and the ends: messages come whole, in order
// and at most once, events are true, callbacks run one at a time, every session closes, and the
// accounts of messages add up.
func TestConversationsAcrossOutages(t *testing.T) {
	for range 8 {
		converse(t)
	}
}

func converse(t *testing.T) {
	var work, sending sync.WaitGroup
	var mu sync.Mutex // guards accepted
	var accepted []*consumer
	u := newConsumer(t, true)
	d := newWireDialer(u.s, &work, func() *Session {
		peer := newConsumer(t, false)
		mu.Lock()
		defer mu.Unlock()
		accepted = append(accepted, peer)
		work.Go(peer.consume)
		return peer.s
	})
	Drive(u.s).Dial(d)
	work.Go(u.consume)
	d.Redial(false, nil)
	largest := []int{20, 2000, 12_000}[rand.IntN(3)]
	for sender := range senders {
		sending.Go(func() { u.send(sender, sender == 0, largest) })
	}
	for range rand.IntN(4) {
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
		d.cut()
	}
	switch rand.IntN(4) {
	case 0:
		u.s.CloseNow(errCut)
	case 1:
		require.NoError(t, u.s.Close())
	default:
		sending.Wait()
		close(u.s.WriteChan())
	}
	testkit.Ended(t, u.s.Done())
	sending.Wait()
	work.Wait()
	u.check()
	for _, peer := range accepted {
		peer.check()
	}
}
