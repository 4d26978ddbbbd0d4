package netasynctest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/netasynctest"
)

// A user's test: a client survives a server that vanishes, so that no packet says so. It takes 50
// seconds of the bubble's clock, and a few milliseconds.
func Example() {
	var t *testing.T // go test gives it to a test
	clientSurvivesAVanishedServer(t)
}

func clientSurvivesAVanishedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		go serve(n.Engine("server", netasync.EngineOptions{}))
		synctest.Wait() // it listens
		client := newClient(n.Engine("client", netasync.EngineOptions{}), "server:8899")
		netasynctest.Expect(t, client, netasynctest.IsConnected)

		link := n.Link("client", "server")
		link.Vanish()
		netasynctest.ExpectWithin(t, 25*time.Second, client, netasynctest.IsDisconnected(netasync.ErrHeartbeatTimeout))
		client.WriteChan() <- []byte("are you there?") // waits for the server to come back
		netasynctest.Quiet(t, client, 25*time.Second)

		link.Heal()
		netasynctest.Expect(t, client, netasynctest.IsConnected, netasynctest.IsMessage("you said are you there?"))
	})
}

// What is tested is as it is: it knows nothing of the network.

func newClient(e *netasync.Engine, addr string) *netasync.Session {
	s, err := e.Connect(addr, netasync.ConnectOptions{})
	if err != nil {
		panic(err)
	}
	return s
}

func serve(e *netasync.Engine) {
	l, err := e.Listen(":8899", netasync.ListenOptions{})
	if err != nil {
		panic(err)
	}
	for s := range l.AcceptChan() {
		go func() {
			for ev := range s.ReadChan() {
				if ev.Kind == netasync.Message {
					s.WriteChan() <- append([]byte("you said "), ev.Payload...)
				}
			}
		}()
	}
}
