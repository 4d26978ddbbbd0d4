package pair

import (
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/netasync/netasync/bench/internal/broker"
)

// The subject that is echoed, and the one that echoes go to.
const (
	natsThere = "there"
	natsBack  = "back"
)

var natsPair = Library{Serve: serveNATS, Dial: dialNATS}

// serveNATS runs a broker and, in the same process, the subscriber that echoes.
func serveNATS() (string, error) {
	s, c, err := broker.Start(server.Options{})
	if err != nil {
		return "", err
	}
	if err := subscribe(c, natsThere, func(m *nats.Msg) { _ = c.Publish(natsBack, m.Data) }); err != nil {
		return "", err
	}
	return s.ClientURL(), c.Flush()
}

// subscribe takes off the limit at which a subscriber loses messages: the driver limits what is under way.
func subscribe(c *nats.Conn, subject string, got nats.MsgHandler) error {
	sub, err := c.Subscribe(subject, got)
	if err != nil {
		return err
	}
	return sub.SetPendingLimits(-1, -1)
}

type natsPeer struct{ c *nats.Conn }

func dialNATS(addr string, got func([]byte)) (Peer, error) {
	c, err := nats.Connect(addr)
	if err != nil {
		return nil, err
	}
	if err := subscribe(c, natsBack, func(m *nats.Msg) { got(m.Data) }); err != nil {
		return nil, err
	}
	return natsPeer{c}, c.Flush()
}

func (p natsPeer) Send(message []byte) error { return p.c.Publish(natsThere, message) }

func (p natsPeer) Close() error {
	p.c.Close()
	return nil
}
