package movingfromwebsocket

import (
	"context"

	"github.com/netasync/netasync"
)

//doc:begin server-after
func serveSessions(ctx context.Context, l *netasync.Listener, answer func([]byte) []byte) {
	for s := range l.AcceptChan() {
		go func() {
			for request, err := range s.Messages(ctx) {
				if err != nil || s.Send(ctx, answer(request)) != nil {
					return
				}
			}
		}()
	}
}

//doc:end

// talk sends what it gets by out, and hands answers to got.
func talk(ctx context.Context, engine *netasync.Engine, addr string, out <-chan []byte, got func([]byte)) error {
	//doc:begin client-after
	s, err := engine.Connect(addr, netasync.ConnectOptions{})
	if err != nil {
		return err // a bad option, never the network
	}
	defer s.Close()
	for {
		select {
		case m := <-out:
			s.WriteChan() <- m
		case ev := <-s.ReadChan():
			if ev.Kind == netasync.Message {
				got(ev.Payload)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	//doc:end
}
