package cluster

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// cable is between a node and the user's NATS server, and can be cut.
type cable struct {
	mu    sync.Mutex
	isCut bool
	conns []net.Conn
}

func (c *cable) Dial(network, addr string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isCut {
		return nil, errors.New("the cable is cut")
	}
	conn, err := net.Dial(network, addr)
	c.conns = append(c.conns, conn)
	return conn, err
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = true
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = false
}

// natsServer is a server of the user's.
func natsServer(t testing.TB, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true})
	require.NoError(t, err)
	go s.Start()
	require.True(t, s.ReadyForConnections(patience))
	t.Cleanup(func() { end(s) })
	return s
}

// natsConn is a connection of the user's.
func natsConn(t testing.TB, s *server.Server, c *cable) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), nats.SetCustomDialer(c), nats.MaxReconnects(-1),
		nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// startOn starts a node on the user's server.
func startOn(t testing.TB, s *server.Server, o Options) (*place, *cable) {
	t.Helper()
	c := &cable{}
	o.NATS = natsConn(t, s, c)
	return start(t, o), c
}

// knows waits until nodes know so many others each.
func knows(t testing.TB, count int, places ...*place) {
	t.Helper()
	for _, p := range places {
		eventually(t, func() bool { return len(p.Nodes()) == count }, "each knows the others")
	}
}

// local returns a session that is connected, by an engine alone.
func (p *place) local(t testing.TB) *netasync.Session {
	t.Helper()
	_, accepted := p.session(t, netasync.ConnectOptions{})
	return accepted
}
