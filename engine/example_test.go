package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/netasync/netasync"
)

// Connect returns at once, and its session goes on trying until there is a server.
func ExampleEngine_Connect() {
	engine, listener := server(netasync.ListenOptions{OnEvent: echo})
	defer end(engine)

	s, err := engine.Connect(listener.Addr().String(), netasync.ConnectOptions{})
	if err != nil {
		fmt.Println(err) // a bad option, never the network
	}
	_ = s.Send(context.Background(), []byte("hello")) // waits for the connection
	for payload := range s.Messages(context.Background()) {
		fmt.Printf("%s\n", payload)
		break
	}
	// Output: hello
}

// Listen on port 0 chooses a free one, which Addr tells.
func ExampleEngine_Listen() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		fmt.Println(err)
	}
	defer end(engine)
	listener, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{OnEvent: echo})
	if err != nil {
		fmt.Println(err) // the port is taken, or a bad option
	}

	fmt.Println(listener.Addr().(*net.TCPAddr).Port != 0)
	_, err = engine.Listen(listener.Addr().String(), netasync.ListenOptions{})
	fmt.Println(err != nil)
	_, err = engine.Listen("127.0.0.1:0", netasync.ListenOptions{MaxSessions: -1})
	fmt.Println(err)
	// Output:
	// true
	// true
	// netasync: MaxSessions is -1, want 0 or more
}

// Serve is for listeners of one's own. This one accepts from this machine alone.
func ExampleEngine_Serve() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		fmt.Println(err)
	}
	defer end(engine)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
	}
	listener, err := engine.Serve(local{ln}, netasync.ListenOptions{OnEvent: echo})
	if err != nil {
		fmt.Println(err)
	}

	s, _ := engine.Connect(listener.Addr().String(), netasync.ConnectOptions{})
	fmt.Println(s.WaitConnected(context.Background()))
	// Output: <nil>
}

// local is a listener that closes connections from elsewhere.
type local struct{ net.Listener }

func (l local) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || conn.RemoteAddr().(*net.TCPAddr).IP.IsLoopback() {
			return conn, err
		}
		_ = conn.Close()
	}
}

// Shutdown flushes what is queued, for as long as its context allows.
func ExampleEngine_Shutdown() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		fmt.Println(err)
	}
	s, _ := engine.Connect("nowhere:8899", netasync.ConnectOptions{
		Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") },
	})
	_ = s.Send(context.Background(), []byte("not to be sent"))

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	err = engine.Shutdown(ctx)
	var unsent *netasync.UnsentError
	fmt.Println(errors.As(err, &unsent), unsent.Messages)
	// Output: true 1
}

// Sessions is for those who want to tell all of them something, or to find one.
func ExampleEngine_Sessions() {
	engine, listener := server(netasync.ListenOptions{Name: "guests"})
	defer end(engine)
	_, _ = engine.Connect(listener.Addr().String(), netasync.ConnectOptions{})
	<-listener.AcceptChan()

	for s := range engine.Sessions() { // in no order; those of this listener are listener.Sessions
		if s.Name() == "guests" {
			fmt.Println("a guest, for whom", s.Stats().Queued, "messages wait")
		}
	}
	// Output: a guest, for whom 0 messages wait
}

// Totals has the figures of all sessions of a name, also of those that have closed.
func ExampleEngine_Totals() {
	engine, listener := server(netasync.ListenOptions{Name: "server", OnEvent: echo})
	for range 3 {
		s, _ := engine.Connect(listener.Addr().String(), netasync.ConnectOptions{Name: "client"})
		_ = s.Send(context.Background(), []byte("hello"))
		for range s.Messages(context.Background()) {
			break // the answer
		}
		_ = s.Close()
		<-s.Done()
	}
	end(engine)

	for name, totals := range engine.Totals() {
		fmt.Println(name, totals.Connections, totals.Sent, totals.Received)
	}
	// Output:
	// client 3 3 3
	// server 3 3 3
}

// Hello says who speaks, on each connection and before all else. Authorize would see the connection
// alone; here the first message counts.
func ExampleConnectOptions() {
	engine, listener := server(netasync.ListenOptions{
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			switch {
			case ev.Kind != netasync.Message:
			case s.Value() != nil:
				_ = s.Send(context.Background(), fmt.Appendf(nil, "%v said %s", s.Value(), ev.Payload))
			case string(ev.Payload) == "login ann":
				s.SetValue("ann")
			default:
				s.CloseNow(errors.New("who is that?"))
			}
		},
	})
	defer end(engine)

	s, _ := engine.Connect(listener.Addr().String(), netasync.ConnectOptions{
		Hello: func(uint64) [][]byte { return [][]byte{[]byte("login ann")} },
	})
	_ = s.Send(context.Background(), []byte("hello"))
	for payload := range s.Messages(context.Background()) {
		fmt.Printf("%s\n", payload)
		break
	}
	// Output: ann said hello
}

// Bounds of a server: how many sessions there may be, and how much may wait for one that is slow.
// The peer that is one too many is told by the end of its connection, and the figures say why.
func ExampleListenOptions() {
	engine, listener := server(netasync.ListenOptions{
		MaxSessions: 1,
		WriteBuffer: netasync.Buffer{Cap: 1024, Bytes: 1 << 20, Policy: netasync.PolicySliding},
	})
	defer end(engine)
	addr := listener.Addr().String()
	_, _ = engine.Connect(addr, netasync.ConnectOptions{})
	<-listener.AcceptChan()

	second, _ := engine.Connect(addr, netasync.ConnectOptions{MaxAttempts: 1})
	<-second.Done()
	fmt.Println(engine.Stats().RefusedBy.MaxSessions)
	// Output: 1
}

// server returns an engine and a listener of it.
func server(o netasync.ListenOptions) (*netasync.Engine, *netasync.Listener) {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		panic(err)
	}
	listener, err := engine.Listen("127.0.0.1:0", o)
	if err != nil {
		panic(err)
	}
	return engine, listener
}

// echo is a callback that sends back what comes.
func echo(s *netasync.Session, ev netasync.Event) {
	if ev.Kind == netasync.Message {
		_ = s.Send(context.Background(), ev.Payload)
	}
}

func end(engine *netasync.Engine) { _ = engine.Shutdown(context.Background()) }
