package fan

import (
	"net"
	"net/http"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/olahol/melody"

	"github.com/netasync/netasync/bench/internal/broker"
)

// startMelody is a hub of melody, on gorilla/websocket.
func startMelody(Options) (Server, error) {
	hub := melody.New()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Server{}, err
	}
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = hub.HandleRequest(w, r) }))
	}()
	return Server{l.Addr().String(), hub.BroadcastBinary, hub.Len}, nil
}

// Subject is the one of NATS.
const Subject = "s"

// startNATS is a broker and, in the same process and over loopback, its publisher.
func startNATS(o Options) (Server, error) {
	s, c, err := broker.Start(server.Options{PingInterval: time.Hour, MaxConn: o.Conns + 10})
	if err != nil {
		return Server{}, err
	}
	return Server{s.Addr().String(), func(payload []byte) error {
		if err := c.Publish(Subject, payload); err != nil {
			return err
		}
		return c.Flush()
	}, nil}, nil
}
