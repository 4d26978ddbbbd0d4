// Service is a server that ends in an orderly way.
package main

import (
	"context"
	"errors"
	"log"
	"os/signal"
	"syscall"
	"time"

	"github.com/netasync/netasync"
)

func main() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	//doc:begin shutdown
	_, err = engine.Listen(":8899", netasync.ListenOptions{OnEvent: serve})
	if err != nil {
		log.Fatal(err)
	}
	stop, restore := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	<-stop.Done()
	restore() // a second signal ends the process at once

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err = engine.Shutdown(ctx)
	var unsent *netasync.UnsentError
	if errors.As(err, &unsent) {
		log.Printf("%d messages were not sent", unsent.Messages)
	}
	//doc:end
	log.Println("stopped:", err)
}

func serve(s *netasync.Session, ev netasync.Event) {
	if ev.Kind == netasync.Connected {
		log.Println("connected")
	}
	if ev.Kind == netasync.Message {
		_ = s.Send(context.Background(), ev.Payload)
	}
}
