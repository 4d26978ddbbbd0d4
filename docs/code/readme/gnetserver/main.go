// Gnetserver is a gnet server of a user's own whose connections are sessions.
package main

import (
	"context"
	"log"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/netasync/netasync"
)

func main() {
	//doc:begin handler
	handler, err := netasync.NewHandler(netasync.ListenOptions{MaxSessions: 10_000})
	//doc:skip
	if err != nil {
		log.Fatal(err)
	}
	go serve(handler)
	//doc:resume
	err = gnet.Run(handler, "tcp://:9000", gnet.WithMulticore(true), gnet.WithReusePort(true), gnet.WithTCPKeepAlive(time.Minute))
	//doc:end
	if err != nil {
		log.Fatal(err)
	}
}

// serve answers what each session says.
func serve(handler *netasync.Handler) {
	for s := range handler.AcceptChan() {
		go func() {
			for payload, err := range s.Messages(context.Background()) {
				if err != nil {
					return
				}
				_ = s.Send(context.Background(), append([]byte("ECHO/"), payload...))
			}
		}()
	}
}
