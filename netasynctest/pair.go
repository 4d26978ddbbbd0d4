package netasynctest

import (
	"sync"
	"testing"
	"time"

	"github.com/netasync/netasync"
)

// Pair returns the two ends of a connection in memory: the client has dialed, and the server was
// accepted. The first event of each is Connected. Both end with the test. Nobody listens any more, so
// a client that dials again is refused: to try that, use a [Network].
func Pair(t testing.TB, co netasync.ConnectOptions, lo netasync.ListenOptions) (client, server *netasync.Session) {
	t.Helper()
	n := NewNetwork(t)
	accepted := make(chan *netasync.Session, 1)
	if onEvent := lo.OnEvent; onEvent != nil { // then AcceptChan tells of nobody
		var first sync.Once
		lo.OnEvent = func(s *netasync.Session, ev netasync.Event) {
			first.Do(func() { accepted <- s })
			onEvent(s, ev)
		}
	}
	l, err := n.Engine("server", netasync.EngineOptions{}).Listen("server:1", lo)
	if err != nil {
		t.Fatal(err)
	}
	client, err = n.Engine("client", netasync.EngineOptions{}).Connect("server:1", co)
	if err != nil {
		t.Fatal(err)
	}
	late := time.NewTimer(Patience)
	defer late.Stop()
	select {
	case server = <-accepted:
	case server = <-l.AcceptChan():
	case <-late.C:
		t.Fatalf("netasynctest: no session within %v, the client's last error is %v", Patience, client.Stats().LastError)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return client, server
}
