//doc:begin program

// Command server answers each message with itself.
//
//	go run . --port 9000 --multicore=true
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"syscall"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/netasync/netasync"
)

type server struct {
	*netasync.Handler
	booted chan gnet.Engine
}

func (s *server) OnBoot(engine gnet.Engine) gnet.Action {
	s.booted <- engine
	return gnet.None
}

func answer(s *netasync.Session, ev netasync.Event) {
	switch ev.Kind {
	case netasync.Connected:
		log.Print(s.RemoteAddr(), " has come")
	case netasync.Message:
		_ = s.Send(context.Background(), ev.Payload)
	case netasync.Closed:
		log.Print(s.RemoteAddr(), " has gone: ", ev.Err)
	}
}

func main() {
	port := flag.Int("port", 9000, "the TCP port")
	multicore := flag.Bool("multicore", false, "an event loop for each processor")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	handler, err := netasync.NewHandler(netasync.ListenOptions{OnEvent: answer, MaxSessions: 10_000})
	if err != nil {
		log.Fatal(err)
	}
	s := &server{handler, make(chan gnet.Engine, 1)}
	ended := make(chan error, 1)
	go func() { ended <- gnet.Run(s, fmt.Sprintf("tcp://:%d", *port), gnet.WithMulticore(*multicore)) }()
	select {
	case err := <-ended:
		log.Fatal(err)
	case <-ctx.Done():
		bounded, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err := handler.Shutdown(bounded)
		if err := errors.Join(err, (<-s.booted).Stop(bounded), <-ended); err != nil {
			log.Print(err)
		}
	}
}

//doc:end
