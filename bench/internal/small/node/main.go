// Command node is plain as a node of a cluster: how much larger it is, is measured.
package main

import (
	"context"
	"log"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/cluster"
)

func main() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	node, err := cluster.Start(cluster.Options{Engine: engine})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := node.Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
	if err != nil {
		log.Fatal(err)
	}
	for s := range listener.AcceptChan() {
		if _, err := node.Claim(context.Background(), "user/1", s, cluster.Replace); err != nil {
			log.Print(err)
		}
		if err := node.Send(context.Background(), "user/1", []byte("hello")); err != nil {
			log.Print(err)
		}
	}
}
