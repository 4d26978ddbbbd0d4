package session_test

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/netasync/netasync"
)

// WaitConnected is for programs that want to begin with a connection. Connect does not wait.
func ExampleSession_WaitConnected() {
	client, _, end := pair(netasync.ConnectOptions{})
	defer end()

	err := client.WaitConnected(context.Background())
	fmt.Println(err, client.State())
	// Output: <nil> connected
}

// Flush waits until all that was accepted was given to the operating system.
func ExampleSession_Flush() {
	client, _, end := pair(netasync.ConnectOptions{})
	defer end()
	for range 100 {
		_ = client.Send(context.Background(), []byte("news"))
	}

	err := client.Flush(context.Background())
	fmt.Println(err, client.Stats().Sent)
	// Output: <nil> 100
}

// Close sends what is queued, and Closed tells what was not sent. Done is closed by then.
func ExampleSession_Close() {
	client, server, end := pair(netasync.ConnectOptions{})
	defer end()
	_ = client.Send(context.Background(), []byte("last words"))

	_ = client.Close() // returns at once
	<-client.Done()
	fmt.Println(client.State(), client.Stats().Queued)
	fmt.Println(client.Send(context.Background(), []byte("one more")))
	for payload, err := range server.Messages(context.Background()) {
		fmt.Printf("%s %v\n", payload, err)
		break
	}
	// Output:
	// closed 0
	// netasync: session closed
	// last words <nil>
}

// CloseNow throws a peer out. Its cause is that of the session's context, too, which is for work
// that is to end with the session.
func ExampleSession_CloseNow() {
	_, server, end := pair(netasync.ConnectOptions{})
	defer end()

	server.CloseNow(errors.New("wrong password"))
	<-server.Context().Done()
	fmt.Println(context.Cause(server.Context()))
	// Output: wrong password
}

// A Value is what a program knows of a session: callbacks need no table of their own.
func ExampleSession_SetValue() {
	_, server, end := pair(netasync.ConnectOptions{})
	defer end()

	server.SetValue("ann")
	name, known := server.Value().(string)
	fmt.Println(name, known)
	// Output: ann true
}

// The figures of a session say what became of its messages. This one has no connection yet, and
// drops the oldest of what waits.
func ExampleStats() {
	s, end := disconnected(netasync.ConnectOptions{WriteBuffer: netasync.Sliding(2)})
	defer end()
	for _, temperature := range []string{"20 °C", "21 °C", "22 °C", "23 °C"} {
		_ = s.TrySend([]byte(temperature))
	}

	stats := s.Stats()
	fmt.Println(stats.Accepted, "accepted:", stats.Sent, "sent,", stats.Queued, "wait,", stats.Dropped, "dropped")
	// Output: 4 accepted: 0 sent, 2 wait, 2 dropped
}

// pair returns the two ends of a connection over loopback, and what ends both.
func pair(o netasync.ConnectOptions) (client, server *netasync.Session, end func()) {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		panic(err)
	}
	listener, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{})
	if err != nil {
		panic(err)
	}
	client, err = engine.Connect(listener.Addr().String(), o)
	if err != nil {
		panic(err)
	}
	return client, <-listener.AcceptChan(), func() { _ = engine.Shutdown(context.Background()) }
}

// disconnected returns a session that does not get a connection, and what ends it.
func disconnected(o netasync.ConnectOptions) (s *netasync.Session, end func()) {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		panic(err)
	}
	o.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("the network is down")
	}
	s, err = engine.Connect("server:8899", o)
	if err != nil {
		panic(err)
	}
	return s, func() {
		s.CloseNow(nil) // there is nobody to flush to
		_ = engine.Shutdown(context.Background())
	}
}
