// Command plain is a small program with sessions: how large it is, is measured.
package main

import (
	"log"

	"github.com/netasync/netasync"
)

func main() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for s := range listener.AcceptChan() {
		_ = s.TrySend([]byte("hello"))
	}
}
