//doc:begin program

package main

import (
	"fmt"
	"log"

	"github.com/netasync/netasync"
)

func main() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	s, err := engine.Connect("127.0.0.1:8899", netasync.ConnectOptions{}) // returns at once; the server may come later
	if err != nil {
		log.Fatal(err) // a bad option, never the network
	}
	s.WriteChan() <- []byte("hello") // waits for the connection, if there is none yet
	for ev := range s.ReadChan() {
		switch ev.Kind {
		case netasync.Message:
			fmt.Printf("<- %s\n", ev.Payload)
		case netasync.Disconnected:
			fmt.Println("gone:", ev.Err) // it reconnects by itself; s and its channels stay as they are
		}
	}
}

//doc:end
