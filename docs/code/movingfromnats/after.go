package movingfromnats

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
	"github.com/netasync/netasync/call"
)

//doc:begin rooms

// serveRooms is the process that has the prices: it listens itself.
func serveRooms(l *netasync.Listener, hub *broadcast.Hub) {
	for s := range l.AcceptChan() {
		go func() {
			for room := range s.Messages(context.Background()) {
				hub.Join(string(room), s) // until s ends
			}
		}()
	}
}

func publish(hub *broadcast.Hub, room string, price []byte) {
	if r := hub.Send(room, price); r.Slow > 0 {
		log.Printf("%d of %d in %s were too slow", r.Slow, r.Slow+r.Queued, room)
	}
}

//doc:end

//doc:begin quotes

// serveQuotes answers requests, at a port of its own.
func serveQuotes(ctx context.Context, l *netasync.Listener, quote func([]byte) []byte) {
	for s := range l.AcceptChan() {
		peer := call.New(s, call.Options{})
		go func() {
			err := peer.Serve(ctx, func(_ context.Context, request []byte) ([]byte, error) {
				return quote(request), nil
			})
			log.Print(s.RemoteAddr(), " has gone: ", err)
		}()
	}
}

//doc:end

//doc:begin watch-after

// watchRoom subscribes on each connection anew.
func watchRoom(engine *netasync.Engine, addr, room string, got func(price []byte)) (*netasync.Session, error) {
	return engine.Connect(addr, netasync.ConnectOptions{
		Hello: func(uint64) [][]byte { return [][]byte{[]byte(room)} },
		OnEvent: func(_ *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				got(ev.Payload) // valid until it returns
			}
		},
	})
}

//doc:end

//doc:begin ask-after

// askPeer says what is known where there is no answer.
func askPeer(ctx context.Context, peer *call.Peer, what string) (string, error) {
	reply, err := peer.Call(ctx, []byte(what))
	switch {
	case errors.Is(err, call.ErrLost):
		return "", fmt.Errorf("quote of %s may have been made, or not: %w", what, err)
	case err != nil:
		return "", fmt.Errorf("quote of %s: %w", what, err) // it has not, unless it is a *call.RemoteError
	}
	return string(reply), nil
}

//doc:end
