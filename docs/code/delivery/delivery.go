// Package delivery is what docs/delivery.md shows.
package delivery

import (
	"context"
	"errors"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
)

// connectQuotes connects to what takes prices.
func connectQuotes(engine *netasync.Engine, addr string) (*netasync.Session, error) {
	//doc:begin refuse
	return engine.Connect(addr, netasync.ConnectOptions{WhileDown: netasync.Refuse})
	//doc:end
}

// offer sends a price, and returns it if it did not go out.
func offer(ctx context.Context, s *netasync.Session, price []byte) []byte {
	//doc:begin offer
	if err := s.Send(ctx, price); errors.Is(err, netasync.ErrNotConnected) {
		return price // at once; it is still yours
	}
	return nil
	//doc:end
}

// collect returns what did not go out though it was accepted, when the session has closed.
func collect(ctx context.Context, s *netasync.Session) (unsent [][]byte) {
	//doc:begin unsent
	for ev := range s.Events(ctx) {
		unsent = append(unsent, ev.Unsent...) // of Disconnected and Closed
	}
	return unsent
	//doc:end
}

// connectOrders connects to what takes orders.
func connectOrders(engine *netasync.Engine, addr string) (*netasync.Session, error) {
	//doc:begin resume
	return engine.Connect(addr, netasync.ConnectOptions{Resume: true}) // and ListenOptions{Resume: true} at the other end
	//doc:end
}

// follow counts the messages that may be lost, until the session has closed.
func follow(ctx context.Context, s *netasync.Session) (resumed int, lost int32, unsent int) {
	//doc:begin lost
	for ev := range s.Events(ctx) {
		switch {
		case ev.Kind == netasync.Connected && ev.Resumed:
			resumed++ // all that was sent before arrives, once
		case ev.Kind == netasync.Connected:
			lost += ev.Lost // the server does not know the session any more; 0 for the first connection
		case ev.Kind == netasync.Closed:
			lost, unsent = lost+ev.Lost, ev.Queued
		}
	}
	//doc:end
	return resumed, lost, unsent
}

// place sends an order, and waits until the peer has it.
func place(ctx context.Context, s *netasync.Session, order []byte) error {
	//doc:begin flush
	if err := s.Send(ctx, order); err != nil {
		return err // it was not accepted
	}
	return s.Flush(ctx) // nil, with Resume: the peer's session has it
	//doc:end
}

// transfer makes a call, again if it was surely not executed.
func transfer(ctx context.Context, peer *call.Peer, request []byte) ([]byte, error) {
	//doc:begin call
	for {
		reply, err := peer.Call(ctx, request)
		var remote *call.RemoteError
		switch {
		case err == nil, errors.As(err, &remote):
			return reply, err // it was executed, once
		case errors.Is(err, call.ErrLost):
			return nil, err // it may have been executed: look before you ask again
		case errors.Is(err, call.ErrBusy), errors.Is(err, netasync.ErrNotConnected):
			time.Sleep(100 * time.Millisecond) // it was not executed: again
		default:
			return nil, err // it was not executed, and there is no use in trying
		}
	}
	//doc:end
}
