package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Each error says what became of the message.
func TestSendErrors(t *testing.T) {
	nodes := startMany(t, 2)
	send := func(name string, payload []byte) error { return nodes[0].Send(within(t), name, payload) }
	require.ErrorIs(t, send("nobody", []byte("hello")), ErrNoSession)
	require.ErrorIs(t, send("nobody", nil), netasync.ErrEmptyMessage)
	ended, cancel := context.WithCancel(within(t))
	cancel()
	require.Equal(t, context.Canceled, nodes[0].Send(ended, "nobody", []byte("hello")))

	l, err := nodes[1].engine.Listen("127.0.0.1:0", netasync.ListenOptions{WriteBuffer: netasync.Fixed(4), MaxPayload: 1 << 20})
	require.NoError(t, err)
	testkit.Dial(t, l.Addr()) // it does not read
	full := testkit.Take(t, l.AcceptChan())
	_, err = nodes[1].Claim(within(t), "full", full, Replace)
	require.NoError(t, err)
	eventually(t, func() bool { return nodes[0].Stats().Names == 1 }, "it is known")
	require.ErrorIs(t, send("full", make([]byte, 1<<20+1)), netasync.ErrFrameTooLarge)
	require.ErrorIs(t, send("full", make([]byte, maxMessage)), netasync.ErrFrameTooLarge)
	for err = nil; err == nil; {
		err = send("full", make([]byte, 1<<20))
	}
	require.ErrorIs(t, err, ErrQueueFull)

	require.NoError(t, nodes[0].Shutdown(within(t)))
	require.ErrorIs(t, send("full", []byte("hello")), ErrShutdown)
	require.Zero(t, nodes[0].Broadcast("room", []byte("hello")).Nodes)
}

// deaf is a node that is known, has names, and answers only what the test has it answer.
func deaf(t *testing.T, p *place, nc *nats.Conn, names ...string) nodeID {
	t.Helper()
	id := nodeID(99)
	d := delta{node: id, first: 1}
	for i, name := range names {
		d.changes = append(d.changes, change{entry: entry{kind: kindName, key: name, session: uint64(i + 1), clock: 1}})
	}
	require.NoError(t, nc.Publish(p.toAll(), (&digest{node: id, name: "deaf"}).append(nil)))
	require.NoError(t, nc.Publish(p.toAll(), d.append(nil)))
	eventually(t, func() bool { return p.Stats().Names == len(names) }, "its names are known")
	return id
}

// A message whose node does not answer may have come, or not.
func TestSendUnknown(t *testing.T) {
	server := natsServer(t, -1)
	p, _ := startOn(t, server, Options{})
	nc := natsConn(t, server, &cable{})
	id := deaf(t, p, nc, "a")
	require.ErrorIs(t, p.Send(within(t), "a", []byte("hello")), ErrNoSession, "nobody is there")
	asked := make(chan *nats.Msg, 10)
	_, err := nc.ChanSubscribe(p.to(id, ">"), asked)
	require.NoError(t, err)
	require.NoError(t, nc.Flush())

	begin := time.Now()
	ctx, cancel := context.WithCancel(within(t))
	go func() { <-asked; cancel() }()
	err = p.Send(ctx, "a", []byte("hello"))
	require.ErrorIs(t, err, ErrUnknownOutcome)
	require.ErrorIs(t, err, context.Canceled)

	go func() { _ = (<-asked).Respond([]byte("what?")) }()
	require.ErrorIs(t, p.Send(within(t), "a", []byte("hello")), ErrUnknownOutcome)

	go func() { <-asked; _ = nc.Publish(p.toAll(), append([]byte{kindGone}, id.bytes()...)) }()
	err = p.Send(context.Background(), "a", []byte("hello")) // no deadline
	require.ErrorIs(t, err, ErrUnknownOutcome)
	require.ErrorIs(t, err, errNodeGone)

	deaf(t, p, nc, "a", "b")
	go func() { <-asked; _ = p.Shutdown(within(t)) }()
	err = p.Send(context.Background(), "b", []byte("hello"))
	require.ErrorIs(t, err, ErrUnknownOutcome)
	require.ErrorIs(t, err, ErrShutdown)
	require.Less(t, time.Since(begin), answerPatience, "it has not waited for what cannot come")
}

// A session that has lost its name says who has it now, and the message goes there.
func TestSendFollows(t *testing.T) {
	server := natsServer(t, -1)
	p, _ := startOn(t, server, Options{})
	nc := natsConn(t, server, &cable{})
	accepted := p.local(t)
	id := deaf(t, p, nc, "a")
	_, err := nc.Subscribe(p.to(id, "send"), func(m *nats.Msg) {
		if _, err := p.Claim(context.Background(), "a", accepted, Replace); err != nil {
			t.Error(err)
		}
		_ = m.Respond([]byte{answerGone})
	})
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	require.NoError(t, p.Send(within(t), "a", []byte("it is known here where the name is")))

	other, _ := startOn(t, server, Options{})
	knows(t, 1, other)
	h := holder{p.id, accepted.ID(), 0}
	answer, next, err := other.sendTo(within(t), holder{p.id, 4711, 0}, "a", []byte("an old session"))
	require.NoError(t, err)
	require.Equal(t, byte(answerGone), answer)
	require.Equal(t, []any{h.node, h.session}, []any{next.node, next.session})
}

// A name that moves from node to node while messages are sent to it: each that was taken comes once.
func TestSendToANameThatMoves(t *testing.T) {
	nodes := startMany(t, 3)
	var got sync.Map
	var received sync.WaitGroup
	var sessions, clients []*netasync.Session
	for _, n := range nodes[:2] {
		client, accepted := n.session(t, netasync.ConnectOptions{})
		sessions, clients = append(sessions, accepted), append(clients, client)
		received.Go(func() {
			last := -1
			for payload, err := range client.Messages(context.Background()) {
				if err != nil || string(payload) == "end" {
					return
				}
				i, _ := strconv.Atoi(string(payload))
				if _, twice := got.LoadOrStore(i, true); twice || i <= last {
					t.Errorf("%d came twice, or out of order", i)
				}
				last = i
			}
		})
	}
	over := make(chan struct{})
	var mover sync.WaitGroup
	mover.Go(func() {
		for i := 0; ; i = 1 - i {
			c, err := nodes[i].Claim(context.Background(), "ada", sessions[i], Replace)
			if err != nil {
				t.Error(err)
				return
			}
			select {
			case <-time.After(20 * time.Millisecond):
				c.Release()
			case <-over:
				return
			}
		}
	})
	taken := map[int]bool{}
	for i := range 3000 {
		switch err := nodes[2].Send(within(t), "ada", []byte(strconv.Itoa(i))); {
		case err == nil:
			taken[i] = true
		case !errors.Is(err, ErrNoSession):
			require.NoError(t, err)
		}
	}
	close(over)
	mover.Wait()
	for _, s := range sessions {
		require.NoError(t, s.Send(within(t), []byte("end")))
	}
	received.Wait()
	t.Logf("%d of 3000 were taken", len(taken))
	require.NotEmpty(t, taken)
	for i := range 3000 {
		_, came := got.Load(i)
		require.Equal(t, taken[i], came, fmt.Sprint(i))
	}
	for _, c := range clients {
		c.CloseNow(nil)
	}
}
