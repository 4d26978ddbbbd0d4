package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// A bad option is an error that names it.
func TestOptions(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct {
		o    Options
		want string // in the error; empty: none
	}{
		{Options{}, ""},
		{Options{Name: strings.Repeat("n", maxText)}, ""},
		{Options{Name: strings.Repeat("n", maxText+1)}, "Name"},
		{Options{Name: "\xff"}, "Name"},
		{Options{Cluster: strings.Repeat("c", 64)}, ""},
		{Options{Cluster: strings.Repeat("c", 65)}, "Cluster"},
		{Options{Cluster: "a.b"}, "Cluster"},
		{Options{Cluster: "a\n"}, "Cluster"},
		{Options{MaxRelayed: -1}, "MaxRelayed"},
		{Options{MaxRelayed: 1}, ""},
		{Options{Advertise: "a.example.org:8899"}, ""},
		{Options{Advertise: "[fe80::1%eth0]:65535"}, ""},
		{Options{Advertise: strings.Repeat("a", maxAdvertise-2) + ":1"}, ""},
		{Options{Advertise: strings.Repeat("a", maxAdvertise-1) + ":1"}, "Advertise"},
		{Options{Advertise: "a.example.org"}, "Advertise"},
		{Options{Advertise: ":8899"}, "Advertise"},
		{Options{Advertise: "a:0"}, "Advertise"},
		{Options{Advertise: "a:65536"}, "Advertise"},
		{Options{Advertise: "a:+8899"}, "Advertise"},
		{Options{Advertise: "a:http"}, "Advertise"},
		{Options{Advertise: "0.0.0.0:8899"}, "Advertise"},
		{Options{Advertise: "[::]:8899"}, "Advertise"},
		{Options{Advertise: "a b:1"}, "Advertise"},
		{Options{Advertise: "a\n:1"}, "Advertise"},
		{Options{Advertise: "unix:1"}, "Advertise"},
		{Options{Listen: "127.0.0.1"}, "Listen"},
		{Options{Listen: "127.0.0.1:-1"}, "Listen"},
		{Options{Listen: "127.0.0.1:0"}, ""},
		{Options{Listen: "127.0.0.1:1"}, ""},
		{Options{Listen: "127.0.0.1:65535"}, "Listen"},
		{Options{Listen: "127.0.0.1:65536", Relay: "127.0.0.1:0"}, "Listen"},
		{Options{Listen: "127.0.0.1:nine", Relay: "127.0.0.1:0"}, "Listen"},
		{Options{Listen: "[::1]:0", Relay: "[::1]:0"}, ""},
		{Options{Listen: ":0", Secret: secret}, "Relay"},
		{Options{Listen: ":0", Relay: "127.0.0.1:0"}, "Secret"},
		{Options{Listen: ":0", Relay: "127.0.0.1:0", Secret: secret}, ""},
		{Options{Listen: ":0", Relay: "127.0.0.1:0", TLS: &tls.Config{}}, ""},
		{Options{Listen: "127.0.0.1:0", Relay: "there"}, "Relay"},
		{Options{Listen: "127.0.0.1:0", Peers: []string{"192.0.2.1:1"}}, "Secret"},
		{Options{Listen: "127.0.0.1:0", Peers: []string{"127.0.0.1:1", "there"}}, "Peers[1]"},
		{Options{Peers: []string{"127.0.0.1:1"}}, "Peers"},
		{Options{Secret: strings.Repeat("s", minSecret-1)}, "Secret"},
		{Options{Secret: strings.Repeat("s", minSecret)}, ""},
		{Options{Strict: true}, "Strict"},
		{Options{Strict: true, NATS: &nats.Conn{}}, "Strict"},
		{Options{Strict: true, NATS: &nats.Conn{}, Mailboxes: true}, ""},
		{Options{Strict: true, Dir: "there"}, ""},
		{Options{Strict: true, Dir: "there", StrictLease: leastStrictLease - 1}, "StrictLease"},
		{Options{Strict: true, Dir: "there", StrictLease: leastStrictLease}, ""},
		{Options{Dir: "there", StrictLease: leastStrictLease}, "StrictLease"},
		{Options{NATS: &nats.Conn{}, Listen: "127.0.0.1:0"}, "NATS"},
		{Options{NATS: &nats.Conn{}, Peers: []string{"127.0.0.1:0"}}, "NATS"},
		{Options{NATS: &nats.Conn{}, Relay: "192.0.2.1:1"}, "Secret"},
		{Options{NATS: &nats.Conn{}, Relay: "192.0.2.1:1", Secret: secret}, ""},
	} {
		c.o.Engine = e
		_, err := c.o.resolve()
		if c.want == "" {
			require.NoError(t, err, "%+v", c.o)
			continue
		}
		require.ErrorContains(t, err, "cluster: "+c.want, "%+v", c.o)
		require.NotContains(t, err.Error(), "sss", "the secret is not told")
	}
	_, err := Options{}.resolve()
	require.ErrorContains(t, err, "Engine")
}

// Where a node cannot start it says why, soon, and leaves nothing.
func TestStartFails(t *testing.T) {
	taken := testkit.Listen(t)
	free := testkit.Listen(t)
	addr := free.Addr().String()
	require.NoError(t, free.Close())
	closed := natsConn(t, natsServer(t, -1), &cable{})
	closed.Close()
	e := newEngine(t)
	left := testkit.StartedSince()
	for name, o := range map[string]Options{
		"Listen": {Listen: taken.Addr().String(), Relay: addr},
		"Relay":  {Listen: addr, Relay: taken.Addr().String()},
		"NATS":   {NATS: closed, Relay: addr},
	} {
		o.Engine = e
		begin := time.Now()
		_, err := Start(o)
		require.Error(t, err, name)
		t.Log(err)
		if name != "NATS" {
			require.ErrorContains(t, err, "in use")
		}
		require.Less(t, time.Since(begin), startPatience/2, "it does not wait for what does not come")
		ln, err := net.Listen("tcp", addr)
		require.NoError(t, err, "the other port is free again")
		require.NoError(t, ln.Close())
	}
	testkit.NothingLeft(t, left)
}

// journal keeps what is logged.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// Nodes with different secrets do not find each other, and say so; the secrets they do not say.
func TestWrongSecret(t *testing.T) {
	j := &journal{}
	log := slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a := start(t, Options{Listen: "127.0.0.1:0", Secret: secret, Logger: log})
	b := start(t, Options{Listen: "127.0.0.1:0", Secret: secret + "?", Logger: log, Peers: []string{a.Addr()}})
	eventually(t, func() bool {
		return strings.Contains(j.String(), "level=WARN") && strings.Contains(j.String(), "certificate")
	}, "it is said")
	require.Empty(t, a.Nodes())
	require.Empty(t, b.Nodes())
	require.NotContains(t, j.String(), secret)
	_, err := b.dialRelay(within(t), a.relayPort.Addr().String())
	if err == nil { // TLS 1.3 says it with the first read
		conn, _ := b.dialRelay(within(t), a.relayPort.Addr().String())
		_, err = conn.Read(make([]byte, 1))
	}
	require.Error(t, err)
}

// Two clusters on the user's servers do not hear each other; his connection stays, and a restart is survived.
func TestOwnServers(t *testing.T) {
	server := natsServer(t, -1)
	a, _ := startOn(t, server, Options{Name: "a", Cluster: "one"})
	b, _ := startOn(t, server, Options{Name: "b", Cluster: "one"})
	other, _ := startOn(t, server, Options{Name: "a", Cluster: "two"})
	knows(t, 1, a, b)
	require.Empty(t, other.Nodes())
	_, err := a.Claim(within(t), "ada", a.local(t), Replace)
	require.NoError(t, err)
	eventually(t, func() bool { return b.Send(within(t), "ada", []byte("hello")) == nil }, "it is known")
	require.ErrorIs(t, other.Send(within(t), "ada", []byte("hello")), ErrNoSession)

	_, port, err := splitPort(server.Addr().String())
	require.NoError(t, err)
	end(server)
	eventually(t, func() bool { return errors.Is(a.Health(), ErrNotConnected) && errors.Is(b.Health(), ErrNotConnected) }, "it is down")
	session := a.local(t)
	for _, name := range []string{"bob", "eve"} {
		_, err = a.Claim(within(t), name, session, Replace)
		require.NoError(t, err, "names need no server")
	}
	natsServer(t, port)
	eventually(t, func() bool { return b.Stats().Names == 3 }, "what was missed is learned")
	ctx, cancel := context.WithCancel(context.Background()) // no deadline
	defer cancel()
	require.NoError(t, a.Shutdown(ctx))
	require.ErrorIs(t, a.Shutdown(ctx), ErrShutdown)
	require.ErrorIs(t, a.Health(), ErrShutdown)
	require.True(t, a.nats.IsConnected(), "it is the user's")
	require.LessOrEqual(t, a.nats.NumSubscriptions(), 1, "NATS itself has one for answers")
	eventually(t, func() bool { return len(b.Nodes()) == 0 && b.Stats().Names == 0 }, "it is forgotten")
}

// A session that is no more has nothing; what ends when the node has ended is said.
func TestAfterShutdown(t *testing.T) {
	n := start(t, Options{})
	s := n.local(t)
	c, err := n.Claim(within(t), "ada", s, Replace)
	require.NoError(t, err)
	require.NoError(t, n.Join("room", s))
	watch := n.Watch(within(t), "room")
	require.NoError(t, n.Shutdown(within(t)))
	for range watch { // it is closed
	}
	c.Release()
	require.False(t, n.Leave("room", s))
	require.ErrorIs(t, n.Join("room", s), ErrShutdown)
	_, err = n.Claim(within(t), "ada", s, Replace)
	require.ErrorIs(t, err, ErrShutdown)
	_, err = n.Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
	require.ErrorIs(t, err, ErrShutdown)
	for range n.Watch(within(t), "room") { // so is this one
	}
	require.Zero(t, n.Broadcast("room", []byte("hello")).Queued)
	require.Zero(t, n.Stats().Members)
	require.NoError(t, s.Context().Err(), "it did not come by the node's Listen")
}
