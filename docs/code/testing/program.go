// Package meters is what the tests of docs/testing.md test.
package meters

import (
	"context"
	"log"

	"github.com/netasync/netasync"
)

//doc:begin program

// Serve acknowledges readings, until the engine shuts down.
func Serve(engine *netasync.Engine) {
	listener, err := engine.Listen(":8899", netasync.ListenOptions{})
	if err != nil {
		log.Fatal(err) // a bad option, or the port is taken
	}
	for s := range listener.AcceptChan() {
		go func() {
			for reading, err := range s.Messages(context.Background()) {
				if err == nil {
					_ = s.Send(context.Background(), append([]byte("got "), reading...))
				}
			}
		}()
	}
}

//doc:end
