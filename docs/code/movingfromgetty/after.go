// Package movingfromgetty is a client and a server by getty, in before_test.go, and the same by this library.
package movingfromgetty

import (
	"context"
	"log"

	"github.com/netasync/netasync"
)

//doc:begin callbacks

// callbacks are for both ends.
type callbacks struct {
	got func(s *netasync.Session, payload []byte) // valid until it returns
}

func (c *callbacks) onEvent(s *netasync.Session, ev netasync.Event) {
	switch ev.Kind {
	case netasync.Connected: // OnOpen; of a dialed session, each time
	case netasync.Message: // OnMessage
		c.got(s, ev.Payload)
	case netasync.Disconnected: // s stays, and connects again
		log.Print(s.Name(), " has lost its connection: ", ev.Err)
	case netasync.Closed: // OnClose, and the error is OnError's
		log.Print(s.Name(), " has closed: ", ev.Err)
	}
}

//doc:end

//doc:begin netasync
func (c *callbacks) dial(engine *netasync.Engine, addr string) (*netasync.Session, error) {
	return engine.Connect(addr, netasync.ConnectOptions{OnEvent: c.onEvent})
}

func (c *callbacks) listen(engine *netasync.Engine, addr string) (*netasync.Listener, error) {
	return engine.Listen(addr, netasync.ListenOptions{OnEvent: c.onEvent})
}

//doc:end

//doc:begin loop
func serve(ctx context.Context, l *netasync.Listener, answer func([]byte) []byte) {
	for s := range l.AcceptChan() { // without OnEvent
		go func() {
			for request, err := range s.Messages(ctx) { // request is yours to keep
				if err != nil || s.Send(ctx, answer(request)) != nil {
					return
				}
			}
		}()
	}
}

//doc:end
