package nodes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/netasync/netasync"

	"github.com/netasync/netasync/bench/internal/pair"
)

// two starts members of a kind that know each other.
func two[M member](t *testing.T, begin func() (member, error)) (a, b M) {
	t.Helper()
	var all [2]M
	for i := range all {
		m, err := begin()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.end)
		all[i] = m.(M)
	}
	if err := all[0].start("127.0.0.1:0", nil); err != nil {
		t.Fatal(err)
	}
	var addr string
	switch m := any(all[0]).(type) {
	case *node:
		addr = m.Addr()
	case *natsServer:
		addr = m.server.ClusterAddr().String()
	}
	if err := all[1].start("127.0.0.1:0", []string{addr}); err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if _, err := stamped("the other", func() bool { return m.others() == 1 }); err != nil {
			t.Fatal(err)
		}
	}
	return all[0], all[1]
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// A client that goes on at another node is passed on there, and one at its own node is not.
func TestMoverIsPassedOn(t *testing.T) {
	a, b := two[*node](t, newNode)
	addr, other := must[string](t)(a.echo()), must[string](t)(b.echo())
	engine := must[*netasync.Engine](t)(netasync.NewEngine(netasync.EngineOptions{}))
	defer func() { _ = engine.Shutdown(context.Background()) }()
	for i, via := range []string{addr, other} {
		r, err := pair.Run(pair.Library{Dial: func(_ string, got func([]byte)) (pair.Peer, error) {
			return dialMover(engine, addr, via, got)
		}}, pair.Options{Window: 1 + 3*i, Payload: 100, Warm: time.Millisecond, Measure: 20 * time.Millisecond})
		if err != nil || r.Messages == 0 {
			t.Fatalf("%v: %+v", err, r)
		}
		if got := b.Stats().Relayed; got != uint64(i) {
			t.Errorf("by %s, %d connections were passed on, want %d", via, got, i)
		}
	}
}

// When a node ends, a watcher at another says when its members have left and its name is free.
func TestWatchSeesANodeEnd(t *testing.T) {
	a, b := two[*node](t, newNode)
	addr, sunk := must[string](t)(a.answer()), must[string](t)(a.sink(a.claim))
	engine := must[*netasync.Engine](t)(netasync.NewEngine(netasync.EngineOptions{}))
	defer func() { _ = engine.Shutdown(context.Background()) }()
	c := &caller{}
	if err := c.begin(engine, []string{addr}, "caller/0"); err != nil {
		t.Fatal(err)
	}
	must[*netasync.Session](t)(engine.Connect(sunk, netasync.ConnectOptions{}))
	if err := b.watch(nameOf(0), 1); err != nil {
		t.Fatal(err)
	}
	if !c.answered() || c.moved() {
		if _, err := stamped("answers", c.answered); err != nil || c.moved() {
			t.Fatal("it was answered by one node", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = a.Shutdown(ctx)
	at, err := b.goneAt()
	if err != nil || at.Left == 0 || at.Free == 0 {
		t.Errorf("%+v, %v", at, err)
	}
}

// What one member of either kind sends by name reaches the session at the other.
func TestSenderReachesSessions(t *testing.T) {
	engine := must[*netasync.Engine](t)(netasync.NewEngine(netasync.EngineOptions{}))
	defer func() { _ = engine.Shutdown(context.Background()) }()
	check := func(addr string, ready func() error, send func(context.Context, string, []byte) error) {
		t.Helper()
		s := must[*netasync.Session](t)(engine.Connect(addr, netasync.ConnectOptions{}))
		if err := ready(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := send(ctx, nameOf(0), []byte("hello")); err != nil {
			t.Fatal(err)
		}
		for payload, err := range s.Messages(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(payload, []byte("hello")) {
				return
			}
		}
	}
	a, b := two[*node](t, newNode)
	check(must[string](t)(b.sink(b.claim)), func() error {
		_, err := stamped("name", func() bool { return a.Stats().Names == 1 })
		return err
	}, a.sender.send)
	c, d := two[*natsServer](t, newServer)
	check(must[string](t)(sink(d.engine, d.add)), func() error {
		if err := d.respond(d.hand); err != nil {
			return err
		}
		_, err := stamped("name", func() bool { return c.reaches(nameOf(0)) })
		return err
	}, c.sender.send)
}

// A stream that stands still, or fails, is an error and no figure.
func TestFlowThatFails(t *testing.T) {
	broken := errors.New("broken")
	if _, err := flow(args{"8", "1ms", "1ms"}, func(context.Context, []byte) error { return broken }); err == nil {
		t.Error("all failed, and that is no error")
	}
}

func TestUnknownKind(t *testing.T) {
	if err := Serve("nonsense"); err == nil || !strings.Contains(err.Error(), fmt.Sprint([]string{"nats", "netasync"})) {
		t.Errorf("%v", err)
	}
}
