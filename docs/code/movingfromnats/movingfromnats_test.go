package movingfromnats

import (
	"bytes"
	"context"
	"io"
	"log"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
	"github.com/netasync/netasync/call"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	testkit.Main(m)
}

// broker starts a server of NATS, at a port or, with -1, at any.
func broker(t *testing.T, port int) *server.Server {
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true})
	require.NoError(t, err)
	go ns.Start()
	require.True(t, ns.ReadyForConnections(testkit.Patience))
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	return ns
}

func client(t *testing.T, ns *server.Server, name string) *nats.Conn {
	nc, err := connect(ns.ClientURL(), name)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// A system is either way to do it: prices go to all that watch a room, and quotes are asked for.
type system struct {
	publish func(room, price string)
	watch   func(room string, got func([]byte))
	ask     func(what string) (string, error)
}

var systems = map[string]func(t *testing.T) system{
	"NATS": func(t *testing.T) system {
		ns := broker(t, -1)
		publish, err := pricing(client(t, ns, "pricing"), bytes.ToUpper)
		require.NoError(t, err)
		asker := client(t, ns, "asker")
		return system{
			publish: func(room, price string) { require.NoError(t, publish(room, []byte(price))) },
			watch:   func(room string, got func([]byte)) { require.NoError(t, watch(client(t, ns, "watcher"), room, got)) },
			ask:     func(what string) (string, error) { return ask(testkit.Context(t), asker, what) },
		}
	},
	"netasync": func(t *testing.T) system {
		engine := newEngine(t)
		rooms, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{})
		require.NoError(t, err)
		quotes, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{})
		require.NoError(t, err)
		hub := broadcast.NewHub(broadcast.Options{})
		go serveRooms(rooms, hub)
		go serveQuotes(context.Background(), quotes, bytes.ToUpper)
		s, err := engine.Connect(quotes.Addr().String(), netasync.ConnectOptions{})
		require.NoError(t, err)
		peer := call.New(s, call.Options{})
		return system{
			publish: func(room, price string) { publish(hub, room, []byte(price)) },
			watch: func(room string, got func([]byte)) {
				had := members(hub, room)
				_, err := watchRoom(engine, rooms.Addr().String(), room, got)
				require.NoError(t, err)
				testkit.Eventually(t, func() bool { return members(hub, room) == had+1 }, "a member of %s", room)
			},
			ask: func(what string) (string, error) { return askPeer(testkit.Context(t), peer, what) },
		}
	},
}

func members(hub *broadcast.Hub, room string) int {
	for name, n := range hub.Rooms() {
		if name == room {
			return n
		}
	}
	return 0
}

func newEngine(t *testing.T) *netasync.Engine {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Shutdown(testkit.Context(t)) })
	return engine
}

// Both ways do the same.
func TestSame(t *testing.T) {
	for name, start := range systems {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			first, second, other := make(chan string, 10), make(chan string, 10), make(chan string, 10)
			s.watch("eur", func(p []byte) { first <- string(p) })
			s.watch("eur", func(p []byte) { second <- string(p) })
			s.watch("usd", func(p []byte) { other <- string(p) })
			s.publish("eur", "1.07")
			s.publish("eur", "1.08")
			s.publish("usd", "0.93")
			for _, got := range []chan string{first, second} {
				require.Equal(t, "1.07", testkit.Take(t, got))
				require.Equal(t, "1.08", testkit.Take(t, got))
			}
			require.Equal(t, "0.93", testkit.Take(t, other))
			reply, err := s.ask("gold")
			require.NoError(t, err)
			require.Equal(t, "GOLD", reply)
		})
	}
}

// What the page says of requests that nobody can have: NATS says so at once, and so does a Peer with FailFast.
func TestNobodyServes(t *testing.T) {
	ns := broker(t, -1)
	_, err := ask(testkit.Context(t), client(t, ns, "asker"), "gold")
	require.ErrorIs(t, err, nats.ErrNoResponders)

	s, err := newEngine(t).Connect(testkit.DeadAddr(t).String(), netasync.ConnectOptions{})
	require.NoError(t, err)
	_, err = askPeer(testkit.Context(t), call.New(s, call.Options{FailFast: true}), "gold")
	require.ErrorIs(t, err, netasync.ErrNotConnected)
}

// What the page says of requests that were sent when the process ended that had them: here that is known to
// be unknown.
func TestLost(t *testing.T) {
	server := newEngine(t)
	l, err := server.Listen("127.0.0.1:0", netasync.ListenOptions{})
	require.NoError(t, err)
	asked := make(chan struct{}, 1)
	release := make(chan struct{})
	go serveQuotes(context.Background(), l, func([]byte) []byte { asked <- struct{}{}; <-release; return nil })
	s, err := newEngine(t).Connect(l.Addr().String(), netasync.ConnectOptions{})
	require.NoError(t, err)
	lost := make(chan error, 1)
	go func() {
		_, err := askPeer(context.Background(), call.New(s, call.Options{}), "gold")
		lost <- err
	}()
	testkit.Take(t, asked)
	for s := range server.Sessions() {
		s.CloseNow(io.ErrUnexpectedEOF)
	}
	require.ErrorIs(t, testkit.Take(t, lost), call.ErrLost)
	close(release)
}

// Both subscribe anew by themselves when a connection was lost.
func TestSubscribesAgain(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, got func([]byte)) (publish func(string), cut func()){
		"NATS": func(t *testing.T, got func([]byte)) (func(string), func()) {
			ns := broker(t, -1)
			proxy := netasynctest.NewProxy(t, ns.Addr().String())
			nc, err := connect("nats://"+proxy.Addr(), "watcher")
			require.NoError(t, err)
			t.Cleanup(nc.Close)
			require.NoError(t, watch(nc, "eur", got))
			publish, err := pricing(client(t, ns, "pricing"), bytes.ToUpper)
			require.NoError(t, err)
			return func(price string) { require.NoError(t, publish("eur", []byte(price))) }, func() { proxy.Cut(nil) }
		},
		"netasync": func(t *testing.T, got func([]byte)) (func(string), func()) {
			engine := newEngine(t)
			l, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{})
			require.NoError(t, err)
			proxy := netasynctest.NewProxy(t, l.Addr().String())
			hub := broadcast.NewHub(broadcast.Options{})
			go serveRooms(l, hub)
			_, err = watchRoom(engine, proxy.Addr(), "eur", got)
			require.NoError(t, err)
			return func(price string) { publish(hub, "eur", []byte(price)) }, func() { proxy.Cut(nil) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan string, 1_000)
			publish, cut := start(t, func(p []byte) { got <- string(p) })
			until(t, publish, got, "1.07")
			cut()
			until(t, publish, got, "1.08")
		})
	}
}

// until publishes until it is heard: what is published while nobody is there is lost.
func until(t *testing.T, publish func(string), got <-chan string, price string) {
	testkit.Eventually(t, func() bool {
		publish(price)
		select {
		case p := <-got:
			return p == price
		case <-time.After(50 * time.Millisecond):
			return false
		}
	}, "a price")
}
