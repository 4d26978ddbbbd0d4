package netasync_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/netasync/netasync"
)

// With Resume at both ends a session goes on where it was when its connection broke: each message
// arrives once and in order.
func ExampleConnectOptions_resume() {
	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	listener, _ := engine.Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
	var c cable
	s, _ := engine.Connect(listener.Addr().String(), netasync.ConnectOptions{Resume: true, Dial: c.dial})
	server := <-listener.AcceptChan()

	ctx := context.Background()
	for ev := range s.Events(ctx) {
		fmt.Println("client:", ev.Kind, ev.Resumed)
		if ev.Resumed {
			break
		}
		_ = s.Send(ctx, fmt.Appendf(nil, "while %v", ev.Kind))
		if ev.Kind == netasync.Connected {
			c.cut() // what was just sent may be on its way, or not
		}
	}
	_ = s.Close() // all that was sent arrives
	for ev := range server.Events(ctx) {
		if ev.Kind == netasync.Message {
			fmt.Printf("server: %s\n", ev.Payload)
		}
	}
	_ = engine.Shutdown(ctx)
	// Output:
	// client: connected false
	// client: disconnected false
	// client: connected true
	// server: while connected
	// server: while disconnected
}

// With WhileDown: Refuse nothing waits for a connection: for messages that are worth nothing later.
func ExampleConnectOptions_refuse() {
	server := echoServer()
	defer server.end()
	c := cable{plugged: make(chan struct{})}
	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	s, _ := engine.Connect(server.addr, netasync.ConnectOptions{WhileDown: netasync.Refuse, Dial: c.dial})

	ctx := context.Background()
	err := s.Send(ctx, []byte("it is 12:00 now"))
	fmt.Println(errors.Is(err, netasync.ErrNotConnected), err)

	close(c.plugged)
	_ = s.WaitConnected(ctx)
	fmt.Println(s.Send(ctx, []byte("it is 12:01 now")))
	for payload := range s.Messages(ctx) {
		fmt.Printf("%s\n", payload)
		break
	}
	_ = engine.Shutdown(ctx)
	// Output:
	// true netasync: not connected
	// <nil>
	// it is 12:01 now
}

// cable is what the examples cut.
type cable struct {
	plugged chan struct{} // nil, or closed when there is a network
	conn    atomic.Pointer[net.Conn]
}

// dial is a ConnectOptions.Dial.
func (c *cable) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.plugged != nil {
		select {
		case <-c.plugged:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn = struct{ net.Conn }{conn} // stays ours: the engine serves it as any other connection
	c.conn.Store(&conn)
	return conn, nil
}

func (c *cable) cut() { _ = (*c.conn.Load()).Close() }
