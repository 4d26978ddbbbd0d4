package meters

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/netasynctest"
)

//doc:begin noleaks

func TestMain(m *testing.M) { netasynctest.NoLeaks(m) }

//doc:end

//doc:begin vanish

// A meter whose server vanishes without a word goes on when it is back.
func TestServerVanishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		go Serve(n.Engine("server", netasync.EngineOptions{}))
		synctest.Wait() // it listens
		meter, err := n.Engine("meter", netasync.EngineOptions{}).Connect("server:8899", netasync.ConnectOptions{})
		//doc:skip
		if err != nil {
			t.Fatal(err)
		}
		//doc:resume
		netasynctest.Expect(t, meter, netasynctest.IsConnected)

		n.Link("meter", "server").Vanish()
		netasynctest.ExpectWithin(t, 25*time.Second, meter, netasynctest.IsDisconnected(netasync.ErrHeartbeatTimeout))
		meter.WriteChan() <- []byte("7 kWh")
		netasynctest.Quiet(t, meter, time.Hour) // an hour of the bubble's clock

		n.Link("meter", "server").Heal()
		netasynctest.ExpectWithin(t, 10*time.Second, meter, netasynctest.IsConnected, netasynctest.IsMessage("got 7 kWh"))
	})
}

//doc:end

// A server is shut down, and another one takes its place.
func TestServerRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		first := n.Engine("server", netasync.EngineOptions{})
		go Serve(first)
		synctest.Wait()
		meter, _ := n.Engine("meter", netasync.EngineOptions{}).Connect("server:8899", netasync.ConnectOptions{})
		netasynctest.Expect(t, meter, netasynctest.IsConnected)

		//doc:begin restart
		if err := first.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		netasynctest.Expect(t, meter, netasynctest.IsDisconnected(nil))
		go Serve(n.Engine("server", netasync.EngineOptions{})) // of the same name, at the same address
		netasynctest.Expect(t, meter, netasynctest.IsConnected)
		//doc:end
	})
}

// What is said between two sessions needs no network.
func TestPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		//doc:begin pair
		client, server := netasynctest.Pair(t, netasync.ConnectOptions{}, netasync.ListenOptions{})
		if err := client.Send(t.Context(), []byte("bye")); err != nil {
			t.Fatal(err)
		}
		client.Close()
		netasynctest.Expect(t, server, netasynctest.IsConnected, netasynctest.IsMessage("bye"), netasynctest.IsClosed(io.EOF))
		//doc:end
	})
}

// Callbacks are recorded, and expected as events of any session.
func TestCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		//doc:begin recorder
		heard := netasynctest.Recorder()
		client, server := netasynctest.Pair(t, netasync.ConnectOptions{OnEvent: heard.OnEvent, Inline: true}, netasync.ListenOptions{})
		server.WriteChan() <- []byte("hello")
		netasynctest.Expect(t, heard, netasynctest.IsConnected, netasynctest.IsMessage("hello"))
		client.Close()
		netasynctest.Expect(t, heard, netasynctest.IsClosed(nil))
		//doc:end
	})
}

// isLong matches a message of at least n bytes.
func isLong(n int) netasynctest.Matcher {
	return func(ev netasync.Event) error {
		if ev.Kind != netasync.Message || len(ev.Payload) < n {
			return fmt.Errorf("a message of %d bytes or more", n)
		}
		return nil
	}
}

func TestMatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := netasynctest.Pair(t, netasync.ConnectOptions{}, netasync.ListenOptions{})
		if err := server.Send(t.Context(), []byte("hello")); err != nil {
			t.Fatal(err)
		}
		netasynctest.Expect(t, client, netasynctest.IsConnected, isLong(5))
		if isLong(6)(netasync.Event{Kind: netasync.Message, Payload: []byte("hello")}) == nil {
			t.Error("5 bytes are not 6")
		}
	})
}

// The first dials are refused, and a message in the middle of which the connection breaks arrives all the same.
func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		go Serve(n.Engine("server", netasync.EngineOptions{}))
		engine := n.Engine("meter", netasync.EngineOptions{})
		synctest.Wait()
		//doc:begin faults
		n.Refuse("server", errRefused)
		meter, _ := engine.Connect("server:8899", netasync.ConnectOptions{})
		netasynctest.Expect(t, meter, netasynctest.IsDisconnected(errRefused))
		n.Refuse("server", nil)
		netasynctest.Expect(t, meter, netasynctest.IsConnected)
		synctest.Wait() // the greeting has arrived

		n.Link("meter", "server").To("server").CutAfter(6) // 4 bytes of length, and 2 of 5
		_ = meter.Send(t.Context(), []byte("7 kWh"))
		netasynctest.Expect(t, meter, netasynctest.IsDisconnected(nil), netasynctest.IsConnected, netasynctest.IsMessage("got 7 kWh"))
		//doc:end
	})
}

var errRefused = errors.New("refused")

// The same with real sockets, in real time: for a server that is another program.
func TestProxy(t *testing.T) {
	addr := startServer(t)
	//doc:begin proxy
	proxy := netasynctest.NewProxy(t, addr)
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	//doc:skip
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Shutdown(t.Context()) })
	//doc:resume
	meter, _ := engine.Connect(proxy.Addr(), netasync.ConnectOptions{AwaitPeer: true})
	netasynctest.ExpectWithin(t, time.Minute, meter, netasynctest.IsConnected)
	proxy.Cut(nil)
	netasynctest.ExpectWithin(t, time.Minute, meter, netasynctest.IsDisconnected(nil), netasynctest.IsConnected)
	//doc:end
}

// startServer starts a server, as if it was another program.
func startServer(t *testing.T) string {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Shutdown(t.Context()) })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Serve(ln, netasync.ListenOptions{}); err != nil {
		t.Fatal(err)
	}
	return ln.Addr().String()
}
