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

// State of which only the last counts: a member that falls behind skips what is old.
func ExampleOptions() {
	prices := broadcast.NewHub(broadcast.Options{
		Slow:   broadcast.Latest,
		OnSlow: func(s *netasync.Session) { log.Printf("%s falls behind", s.RemoteAddr()) },
	})
	r := prices.Send("gold", []byte("4100.50"))
	fmt.Printf("%d have it, %d instead of an older one\n", r.Queued, r.Slow)
	// Output: 0 have it, 0 instead of an older one
}
