package cluster_test

import (
	"context"
	"fmt"
	"log"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/cluster"
)

// A node on its own needs no port and no other node: a session is claimed, sent to, and a member of a room.
func Example() {
	ctx := context.Background()
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = engine.Shutdown(ctx) }()
	node, err := cluster.Start(cluster.Options{Engine: engine})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = node.Shutdown(ctx) }()
	listener, err := node.Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
	if err != nil {
		log.Fatal(err)
	}
	client, err := engine.Connect(listener.Addr().String(), netasync.ConnectOptions{Resume: true})
	if err != nil {
		log.Fatal(err)
	}
	session := <-listener.AcceptChan()

	if _, err = node.Claim(ctx, "user/42", session, cluster.Replace); err != nil {
		log.Fatal(err)
	}
	if err = node.Send(ctx, "user/42", []byte("hello")); err != nil {
		log.Fatal(err)
	}
	if err = node.JoinAs("room/7", session, "ada", "green"); err != nil {
		log.Fatal(err)
	}
	for m := range node.Members("room/7") {
		fmt.Println(m.Name, m.Meta)
	}
	fmt.Println(node.Broadcast("room/7", []byte("to all")).Queued)
	received := 0
	for payload, err := range client.Messages(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(payload))
		if received++; received == 2 {
			break
		}
	}
	fmt.Println(node.Send(ctx, "user/43", []byte("hello")))
	// Output:
	// ada green
	// 1
	// hello
	// to all
	// cluster: no session has the name
}

// Each node is given addresses of some others, and the secret of all.
func ExampleStart() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	node, err := cluster.Start(cluster.Options{
		Engine: engine,
		Name:   "a",
		Listen: "10.0.0.1:6222", // and 6223, for connections that are passed on
		Peers:  []string{"10.0.0.2:6222", "10.0.0.3:6222"},
		Secret: "32 random bytes, the same everywhere",
	})
	if err != nil {
		log.Fatal(err)
	}
	for p := range node.Watch(context.Background(), "room/7") {
		fmt.Println(p.Name, "has", p.Kind, "at", p.Node)
	}
}
