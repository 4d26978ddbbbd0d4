package broadcast_test

import (
	"context"
	"fmt"
	"log"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
)

// A room whose members all get what one of them says.
func ExampleGroup() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = engine.Shutdown(context.Background()) }()
	room := broadcast.NewGroup(broadcast.Options{Slow: broadcast.Close}) // who cannot keep up is thrown out
	listener, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			switch ev.Kind {
			case netasync.Connected:
				room.Add(s) // it leaves by itself
				_ = s.TrySend([]byte("welcome"))
			case netasync.Message:
				room.Send(ev.Payload)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	ann, _ := engine.Connect(listener.Addr().String(), netasync.ConnectOptions{})
	bob, _ := engine.Connect(listener.Addr().String(), netasync.ConnectOptions{})
	hear := func(s *netasync.Session) {
		for payload := range s.Messages(ctx) {
			fmt.Printf("%s\n", payload)
			break
		}
	}

	hear(ann)
	hear(bob) // both are members now
	_ = ann.Send(ctx, []byte("hello"))
	hear(ann)
	hear(bob)
	// Output:
	// welcome
	// welcome
	// hello
	// hello
}

// What becomes of a member that falls behind. This one has no connection, and room for one message.
func ExampleSlow() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = engine.Shutdown(context.Background()) }()
	for _, slow := range []broadcast.Slow{broadcast.Drop, broadcast.Close, broadcast.Latest} {
		s, err := engine.Connect("127.0.0.1:1", netasync.ConnectOptions{WriteBuffer: netasync.Fixed(1)})
		if err != nil {
			log.Fatal(err)
		}
		prices := broadcast.NewGroup(broadcast.Options{
			Slow:   slow,
			OnSlow: func(*netasync.Session) { fmt.Print("it falls behind; ") },
		})
		prices.Add(s)
		prices.Send([]byte("4100.50"))
		r := prices.Send([]byte("4100.75"))
		fmt.Printf("%+v, %d waits, %d was replaced, %v\n", r, s.Stats().Queued, s.Stats().Dropped, prices.Len())
		s.CloseNow(nil)
	}
	// Output:
	// it falls behind; {Queued:0 Slow:1 Closed:0 Refused:0}, 1 waits, 0 was replaced, 1
	// it falls behind; {Queued:0 Slow:1 Closed:0 Refused:0}, 1 waits, 0 was replaced, 0
	// it falls behind; {Queued:0 Slow:1 Closed:0 Refused:0}, 1 waits, 1 was replaced, 1
}

// Rooms by name.
func ExampleHub() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = engine.Shutdown(context.Background()) }()
	s, err := engine.Connect("127.0.0.1:1", netasync.ConnectOptions{}) // it is sent all when it is connected
	if err != nil {
		log.Fatal(err)
	}
	hub := broadcast.NewHub(broadcast.Options{})
	hub.Join("go", s)
	hub.Join("tea", s)
	hub.Send("go", []byte("1.26 is out"))
	hub.Leave("tea", s)
	for room, members := range hub.Rooms() {
		fmt.Println(room, members)
	}
	s.CloseNow(nil)
	// Output: go 1
}
