package fan

import (
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/olahol/melody"
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

// The one subject, and how long a broker may take to start.
const (
	subject   = "s"
	startTime = 5 * time.Second
)

// startNATS is a broker and, in the same process and over loopback, its publisher.
func startNATS(o Options) (Server, error) {
	broker, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, PingInterval: time.Hour,
		MaxConn: o.Conns + 10,
	})
	if err != nil {
		return Server{}, err
	}
	broker.Start()
	if !broker.ReadyForConnections(startTime) {
		return Server{}, errors.New("fan: the embedded NATS server did not start")
	}
	c, err := nats.Connect(broker.ClientURL())
	if err != nil {
		return Server{}, err
	}
	return Server{broker.Addr().String(), func(payload []byte) error {
		if err := c.Publish(subject, payload); err != nil {
			return err
		}
		return c.Flush()
	}, nil}, nil
}
