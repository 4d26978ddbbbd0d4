package nodes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/cluster"

	"github.com/netasync/netasync/bench/internal/fan"
)

// room is the one there is.
const room = "room"

// node is one of package cluster.
type node struct {
	engine *netasync.Engine
	*cluster.Node
	sender sender
	gone   chan goneAt
}

func newNode() (member, error) {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	n := &node{engine: engine, gone: make(chan goneAt, 1)}
	n.sender.send = func(ctx context.Context, name string, payload []byte) error {
		return n.Send(ctx, name, bytes.Clone(payload)) // which is the node's from then on
	}
	return n, err
}

// start starts it; without an address it is alone.
func (n *node) start(listen string, peers []string) (err error) {
	o := cluster.Options{Engine: n.engine}
	if listen != "|" {
		o.Listen, o.Peers, o.Relay = listen, peers, "127.0.0.1:0"
	}
	n.Node, err = cluster.Start(o)
	return err
}

func (n *node) others() int { return len(n.Nodes()) }

func (n *node) end() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if n.Node != nil {
		_ = n.Shutdown(ctx)
	}
	_ = n.engine.Shutdown(ctx)
}

func (n *node) words() map[string]command {
	return map[string]command{
		"names": func(a args) (any, error) {
			return stamped("names", func() bool { return n.Stats().Names >= a.number(0) })
		},
		"members": func(a args) (any, error) {
			return stamped("members", func() bool { return n.Stats().Members >= a.number(0) })
		},
		"sink":      func(args) (any, error) { return n.sink(n.claim) },
		"audience":  func(args) (any, error) { return n.audience() },
		"echo":      func(args) (any, error) { return n.echo() },
		"answer":    func(args) (any, error) { return n.answer() },
		"send":      n.sender.measure,
		"stream":    n.stream,
		"sent":      func(args) (any, error) { return n.sender.queued.Load(), nil },
		"claim":     func(a args) (any, error) { return n.claimMany(a.number(0)) },
		"watch":     func(a args) (any, error) { return nil, n.watch(a.text(0), a.number(1)) },
		"gone":      func(args) (any, error) { return n.goneAt() },
		"broadcast": func(a args) (any, error) { return nil, n.broadcast(a.number(0)) },
		"proxy":     func(a args) (any, error) { return proxy(a.text(0)) },
	}
}

// sink takes sessions that only receive.
func (n *node) sink(each func(i int, s *netasync.Session) error) (addr string, err error) {
	return sink(n.engine, each)
}

// claim gives the i-th session a name.
func (n *node) claim(i int, s *netasync.Session) error {
	_, err := n.Claim(context.Background(), nameOf(i), s, cluster.Refuse)
	return err
}

// audience takes sessions that are members of the room. Nothing but broadcasts is to be measured: no heartbeats.
func (n *node) audience() (addr string, err error) {
	l, err := n.engine.Listen("127.0.0.1:0", netasync.ListenOptions{NoGreeting: true, HeartbeatPeriod: time.Hour})
	if err != nil {
		return "", err
	}
	go func() {
		for s := range l.AcceptChan() {
			if err := n.Join(room, s); err != nil {
				panic(err)
			}
		}
	}()
	return l.Addr().String(), nil
}

func (n *node) broadcast(size int) error {
	if r := n.Broadcast(room, fan.Message(size)); r.Refused > 0 || r.Nodes != n.others() {
		return fmt.Errorf("nodes: %+v", r)
	}
	return nil
}

// Claimed is when so many names were claimed.
type Claimed struct{ Begin, End uint64 }

// claimMany claims names for one session of this node.
func (n *node) claimMany(count int) (c Claimed, err error) {
	got := make(chan *netasync.Session, 1)
	l, err := n.engine.Listen("127.0.0.1:0", netasync.ListenOptions{})
	if err != nil {
		return c, err
	}
	go func() { got <- <-l.AcceptChan() }()
	if _, err = n.engine.Connect(l.Addr().String(), netasync.ConnectOptions{}); err != nil {
		return c, err
	}
	s := <-got
	c.Begin = fan.Now()
	for i := range count {
		if _, err := n.Claim(context.Background(), fmt.Sprintf("user/%08d", i), s, cluster.Refuse); err != nil {
			return c, err
		}
	}
	c.End = fan.Now()
	return c, nil
}

// goneAt is when another node was given up: when the last of its members had left, and a name of it was free.
type goneAt struct{ Left, Free uint64 }

// watch begins to look for that. It returns when all of the members are there, each with a name, and the one name.
func (n *node) watch(name string, members int) error {
	if _, err := stamped("names", func() bool { return n.Stats().Names > members }); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	told := n.Watch(ctx, room)
	for i := range members {
		if p, open := <-told; !open || p.Kind != cluster.Joined {
			cancel()
			return fmt.Errorf("nodes: of %d members, there are %d", members, i)
		}
	}
	free := make(chan uint64, 1)
	go func() { free <- n.free(ctx, name) }()
	go func() {
		defer cancel()
		var at goneAt
		for left := 0; left < members; {
			p, open := <-told
			if !open {
				break
			}
			if p.Kind == cluster.Left {
				left++
				at.Left = fan.Now()
			}
		}
		at.Free = <-free
		n.gone <- at
	}()
	return nil
}

// free sends to a name until nobody has it.
func (n *node) free(ctx context.Context, name string) uint64 {
	for ctx.Err() == nil {
		once, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		err := n.Send(once, name, []byte("are you there?"))
		cancel()
		if errors.Is(err, cluster.ErrNoSession) {
			return fan.Now()
		}
		time.Sleep(2 * time.Millisecond)
	}
	return 0
}

func (n *node) goneAt() (goneAt, error) {
	select {
	case at := <-n.gone:
		if at.Left == 0 || at.Free == 0 {
			return at, errors.New("nodes: the other node is still there")
		}
		return at, nil
	case <-time.After(patience):
		return goneAt{}, errors.New("nodes: the other node is still there")
	}
}
