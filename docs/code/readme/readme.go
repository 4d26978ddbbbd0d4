// Package readme is what README.md shows, beside its programs.
package readme

import (
	"context"
	"errors"
	"log"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
	"github.com/netasync/netasync/call"
)

func serve(engine *netasync.Engine) {
	//doc:begin server
	listener, err := engine.Listen(":8899", netasync.ListenOptions{})
	if err != nil {
		log.Fatal(err) // the port is taken, or a bad option
	}
	for s := range listener.AcceptChan() {
		go func() {
			for ev := range s.ReadChan() { // ends after the Closed event
				if ev.Kind == netasync.Message {
					s.WriteChan() <- append([]byte("ECHO/"), ev.Payload...)
				}
			}
		}()
	}
	//doc:end
}

// ask makes a call, and answers those of the other end until ctx ends.
func ask(ctx context.Context, s *netasync.Session, request []byte, answer func([]byte) ([]byte, error)) ([]byte, error) {
	//doc:begin calls
	peer := call.New(s, call.Options{})   // at both ends; s is its own from now on
	reply, err := peer.Call(ctx, request) // ctx's deadline and its end are the handler's, too
	//doc:skip
	if err != nil {
		return nil, err
	}
	//doc:resume
	err = peer.Serve(ctx, func(ctx context.Context, request []byte) ([]byte, error) {
		return answer(request)
	})
	//doc:end
	if !errors.Is(err, context.Canceled) {
		return nil, err
	}
	return reply, nil
}

func tellAll(s *netasync.Session, payload []byte) broadcast.Result {
	//doc:begin broadcast
	room := broadcast.NewGroup(broadcast.Options{Slow: broadcast.Close}) // or Drop, or Latest
	room.Add(s)                                                          // it leaves by itself when it has closed
	r := room.Send(payload)                                              // never waits: r.Queued, r.Slow, r.Closed, r.Refused
	//doc:end
	return r
}
