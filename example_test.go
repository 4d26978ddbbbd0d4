package netasync_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/netasync/netasync"
)

// A client connects, says something, and hears the answer. Errors are left out here: those of
// NewEngine, Connect and Listen are about bad options, or a port that is taken.
func Example_client() {
	server := echoServer()
	defer server.end()

	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	s, _ := engine.Connect(server.addr, netasync.ConnectOptions{}) // returns at once
	s.WriteChan() <- []byte("hello")                               // waits for the connection, if there is none yet
	for ev := range s.ReadChan() {
		switch ev.Kind {
		case netasync.Connected:
			fmt.Println("connected")
		case netasync.Message:
			fmt.Printf("got %s\n", ev.Payload)
			close(s.WriteChan()) // the last message was sent
		case netasync.Disconnected:
			fmt.Println("gone:", ev.Err) // it comes back by itself
		case netasync.Closed:
			fmt.Println("closed")
		}
	}
	_ = engine.Shutdown(context.Background())
	// Output:
	// connected
	// got hello
	// closed
}

// A server takes sessions from AcceptChan, and serves each with a goroutine.
func Example_server() {
	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	listener, _ := engine.Listen("127.0.0.1:0", netasync.ListenOptions{})
	go func() {
		for s := range listener.AcceptChan() { // ends with the listener
			go func() {
				for ev := range s.ReadChan() { // ends with the session
					if ev.Kind == netasync.Message {
						s.WriteChan() <- append([]byte("you said "), ev.Payload...)
					}
				}
			}()
		}
	}()

	fmt.Println(ask(listener.Addr().String(), "hello"))
	_ = engine.Shutdown(context.Background())
	// Output: you said hello
}

// Channels compose with select: here with a clock.
func ExampleSession_channels() {
	server := echoServer()
	defer server.end()
	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	s, _ := engine.Connect(server.addr, netasync.ConnectOptions{})

	questions := []string{"one", "two", "three"}
	next := time.NewTicker(time.Millisecond)
	defer next.Stop()
	for events := s.ReadChan(); events != nil; {
		select {
		case <-next.C:
			if len(questions) > 0 {
				s.WriteChan() <- []byte(questions[0])
				questions = questions[1:]
			}
		case ev, open := <-events:
			if !open {
				events = nil // after Closed
			} else if ev.Kind == netasync.Message {
				fmt.Printf("%s\n", ev.Payload)
				if string(ev.Payload) == "three" {
					_ = s.Close()
				}
			}
		}
	}
	_ = engine.Shutdown(context.Background())
	// Output:
	// one
	// two
	// three
}

// Send and Recv do without channels: cheaper, and with a context.
func ExampleSession_sendAndRecv() {
	server := echoServer()
	defer server.end()
	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	s, _ := engine.Connect(server.addr, netasync.ConnectOptions{})

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Send(ctx, []byte("hello")); err != nil { // blocks while the queue is full
		fmt.Println(err)
	}
	for {
		ev, err := s.Recv(ctx)
		if err != nil {
			fmt.Println(err) // io.EOF after Closed, or the context's error
			break
		}
		fmt.Printf("%v: %q\n", ev.Kind, ev.Payload)
		if ev.Kind == netasync.Message {
			_ = s.Close()
		}
	}
	_ = engine.Shutdown(context.Background())
	// Output:
	// connected: ""
	// message: "hello"
	// closed: ""
	// EOF
}

// With OnEvent a session needs no goroutine: its events are told by calls, in order.
func ExampleListenOptions_onEvent() {
	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	listener, _ := engine.Listen("127.0.0.1:0", netasync.ListenOptions{
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			switch ev.Kind {
			case netasync.Connected:
				s.SetValue("a guest") // whatever belongs to the session
			case netasync.Message: // the payload is valid until this call returns
				answer := fmt.Appendf(nil, "%s to %v", ev.Payload, s.Value())
				_ = s.Send(context.Background(), answer) // may block, here
			}
		},
	})

	fmt.Println(ask(listener.Addr().String(), "welcome"))
	_ = engine.Shutdown(context.Background())
	// Output: welcome to a guest
}

// An Inline callback runs on the event loop itself, without a copy: it must never block. The
// payload of the event may be sent as it is, to the same session.
func ExampleListenOptions_inline() {
	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	listener, _ := engine.Listen("127.0.0.1:0", netasync.ListenOptions{
		Inline: true,
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				_ = s.Send(context.Background(), ev.Payload) // refused once the session is closing
			}
		},
	})

	fmt.Println(ask(listener.Addr().String(), "echo"))
	_ = engine.Shutdown(context.Background())
	// Output: echo
}

// Shutdown flushes what is queued, ends every session, and leaves nothing running. Its error says
// how many messages could not be sent.
func ExampleEngine_shutdown() {
	server := echoServer()
	defer server.end()
	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	s, _ := engine.Connect(server.addr, netasync.ConnectOptions{})
	<-s.ReadChan() // Connected
	for range 100 {
		_ = s.Send(context.Background(), []byte("last words"))
	}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(engine.Shutdown(ctx), s.State(), s.Stats().Sent)
	_, err := engine.Connect(server.addr, netasync.ConnectOptions{})
	fmt.Println(err)
	// Output:
	// <nil> closed 100
	// netasync: shut down
}

// server is somebody for the examples to talk to.
type server struct {
	addr string
	end  func()
}

// echoServer returns a server that sends back every message.
func echoServer() server {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		panic(err)
	}
	listener, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				_ = s.Send(context.Background(), bytes.Clone(ev.Payload))
			}
		},
	})
	if err != nil {
		panic(err)
	}
	return server{listener.Addr().String(), func() { _ = engine.Shutdown(context.Background()) }}
}

// ask connects to a server, and returns its answer to a question.
func ask(addr, question string) string {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = engine.Shutdown(context.Background()) }()
	s, err := engine.Connect(addr, netasync.ConnectOptions{})
	if err != nil {
		panic(err)
	}
	s.WriteChan() <- []byte(question)
	for ev := range s.ReadChan() {
		if ev.Kind == netasync.Message {
			return string(ev.Payload)
		}
	}
	return "no answer"
}
