// Package delivery is what docs/delivery.md shows.
package delivery

import (
	"context"
	"errors"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
)

// quotes sends prices that are worth nothing later, and returns those that did not go out.
func quotes(ctx context.Context, engine *netasync.Engine, addr string, prices <-chan []byte) (unsent [][]byte, err error) {
	//doc:begin refuse
	s, err := engine.Connect(addr, netasync.ConnectOptions{WhileDown: netasync.Refuse})
	//doc:skip
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for price := range prices {
			//doc:resume
			if err := s.Send(ctx, price); errors.Is(err, netasync.ErrNotConnected) {
				continue // it is the caller's again
			}
			//doc:skip
		}
		s.Close()
	}()
	//doc:resume
	for ev := range s.Events(ctx) {
		unsent = append(unsent, ev.Unsent...) // of Disconnected and Closed: accepted, and not sent
	}
	//doc:end
	<-ended
	return unsent, nil
}

// report is what orders tells of.
type report struct{ resumed, lost, queued int }

// orders keeps a session that resumes, and counts what became of its connections.
func orders(ctx context.Context, engine *netasync.Engine, addr string) (*netasync.Session, <-chan report, error) {
	done := make(chan report, 1)
	var r report
	//doc:begin resume
	s, err := engine.Connect(addr, netasync.ConnectOptions{Resume: true}) // and ListenOptions{Resume: true} at the other end
	//doc:skip
	if err != nil {
		return nil, nil, err
	}
	go func() {
		//doc:resume
		for ev := range s.Events(ctx) {
			switch {
			case ev.Kind == netasync.Connected && ev.Resumed:
				r.resumed++ // all that was sent before arrives, once
			case ev.Kind == netasync.Connected && ev.Epoch > 1:
				r.lost += int(ev.Lost) // the server does not know the session any more: so many may have arrived, or not
			case ev.Kind == netasync.Closed:
				r.lost += int(ev.Lost)
				r.queued = ev.Queued // so many were never sent
			}
		}
		//doc:end
		done <- r
	}()
	return s, done, nil
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
