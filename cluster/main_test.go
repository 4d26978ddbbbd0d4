package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const secret = "a secret of all the nodes in this test"

// patience bounds a wait. It is long: only a hang uses it up.
const patience = 20 * time.Second

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t testing.TB, is func() bool, what string) {
	t.Helper()
	require.Eventually(t, is, patience, 5*time.Millisecond, what)
}

func newEngine(t testing.TB) *netasync.Engine {
	t.Helper()
	e, err := netasync.NewEngine(netasync.EngineOptions{Loops: 1})
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.Shutdown(within(t)) })
	return e
}

// place is a node with a listener.
type place struct {
	*Node
	listener *netasync.Listener
}

func start(t testing.TB, o Options) *place {
	t.Helper()
	o.Engine = newEngine(t)
	n, err := Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Shutdown(within(t)) })
	l, err := o.Engine.Listen("127.0.0.1:0", netasync.ListenOptions{})
	require.NoError(t, err)
	return &place{n, l}
}

// startMany starts nodes that know each other.
func startMany(t testing.TB, count int) (places []*place) {
	t.Helper()
	for i := range count {
		o := Options{Name: fmt.Sprint("node ", i), Listen: "127.0.0.1:0", Secret: secret}
		if i > 0 {
			o.Peers = []string{places[0].Addr()}
		}
		places = append(places, start(t, o))
	}
	for _, p := range places {
		eventually(t, func() bool { return len(p.Nodes()) == count-1 }, "each knows all others")
	}
	return places
}

// session returns both ends of a connection to a node.
func (p *place) session(t testing.TB, o netasync.ConnectOptions) (client, accepted *netasync.Session) {
	t.Helper()
	client, err := newEngine(t).Connect(p.listener.Addr().String(), o)
	require.NoError(t, err)
	select {
	case accepted = <-p.listener.AcceptChan():
	case <-within(t).Done():
		require.Fail(t, "no session came")
	}
	require.NoError(t, client.WaitConnected(within(t)))
	return client, accepted
}

// message returns the next message of a session.
func message(t testing.TB, s *netasync.Session) string {
	t.Helper()
	for payload, err := range s.Messages(within(t)) {
		require.NoError(t, err)
		return string(payload)
	}
	return ""
}

// size is how many names are known.
func (d *directory) size() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.names)
}
