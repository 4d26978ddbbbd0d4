package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// world is a network in a bubble, with a master.
type world struct {
	*Master
	t    *testing.T
	net  *netasynctest.Network
	stop func() // ends the master, after which its state may be looked at
}

func newWorld(t *testing.T, o netasync.ListenOptions) *world {
	w := &world{t: t, net: netasynctest.NewNetwork(t)}
	w.begin(o)
	return w
}

// begin starts a master that knows nothing.
func (w *world) begin(o netasync.ListenOptions) {
	e := w.net.Engine("master", netasync.EngineOptions{})
	l, err := e.Listen(":1", o)
	require.NoError(w.t, err)
	w.Master = NewMaster()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx, l) }()
	w.stop = func() {
		cancel()
		<-ended
		_ = e.Shutdown(ctx)
	}
	w.t.Cleanup(w.stop)
}

// mirror returns a mirror on a host of its own.
func (w *world) mirror(host string, o MirrorOptions) *Mirror {
	m, err := NewMirror(w.net.Engine(host, netasync.EngineOptions{}), "master:1", o)
	require.NoError(w.t, err)
	w.t.Cleanup(m.Close)
	w.net.Link(host, "master").Latency(time.Millisecond, time.Millisecond)
	return m
}

// peer is a mirror that is written by hand.
type peer struct {
	*netasync.Session
	t *testing.T
}

func (w *world) peer(host string) peer {
	s, err := w.net.Engine(host, netasync.EngineOptions{}).Connect("master:1", netasync.ConnectOptions{})
	require.NoError(w.t, err)
	netasynctest.Expect(w.t, s, netasynctest.IsConnected)
	return peer{s, w.t}
}

func (p peer) says(m message) {
	p.t.Helper()
	require.NoError(p.t, p.Send(p.t.Context(), m.encode()))
}

func (p peer) hears() message {
	p.t.Helper()
	ev, err := p.Recv(p.t.Context())
	require.NoError(p.t, err)
	require.Equal(p.t, netasync.Message, ev.Kind, "%v", ev.Err)
	m, err := parse(ev.Payload)
	require.NoError(p.t, err)
	return m
}

// add is a command that shows if it is executed twice.
func add(name string, n int64) Command { return Command{Add: map[string]int64{name: n}} }
