// Package broker runs a NATS server in this process, for the contestants that go by one.
package broker

import (
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// startTime is how long it may take to start.
const startTime = 5 * time.Second

// Start starts a server on loopback, and connects to it over loopback: that is faster for NATS than its
// connection inside the process, which hands over each write by itself. Host, port and signals are seen to.
func Start(o server.Options) (*server.Server, *nats.Conn, error) {
	o.Host, o.Port, o.NoSigs, o.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(&o)
	if err != nil {
		return nil, nil, err
	}
	s.Start()
	if !s.ReadyForConnections(startTime) {
		return nil, nil, errors.New("nats: the embedded server did not start")
	}
	c, err := nats.Connect(s.ClientURL())
	return s, c, err
}
