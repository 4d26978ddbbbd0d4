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

// natsPair has its messages from callbacks, natsChanPair from channels. Both run a broker and, in the same process,
// the subscriber that echoes.
var (
	natsPair     = natsBy(subscribe)
	natsChanPair = natsBy(subscribeChan)
)

// natsSlots are the slots of a subscriber's channel. NATS throws away what does not fit: there must be more than
// the driver ever has under way.
const natsSlots = 8192

// subscriber has got called with each message of a subject, by one goroutine.
type subscriber func(c *nats.Conn, subject string, got nats.MsgHandler) error

func natsBy(listen subscriber) Library {
	return Library{
		Serve: func() (string, error) { return serveNATS(listen) },
		Dial:  func(addr string, got func([]byte)) (Peer, error) { return dialNATS(listen, addr, got) },
	}
}

func serveNATS(listen subscriber) (string, error) {
	s, c, err := broker.Start(server.Options{})
	if err != nil {
		return "", err
	}
	if err := listen(c, natsThere, func(m *nats.Msg) { _ = c.Publish(natsBack, m.Data) }); err != nil {
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

func subscribeChan(c *nats.Conn, subject string, got nats.MsgHandler) error {
	in := make(chan *nats.Msg, natsSlots)
	if _, err := c.ChanSubscribe(subject, in); err != nil {
		return err
	}
	go func() {
		for m := range in {
			got(m)
		}
	}()
	return nil
}

type natsPeer struct{ c *nats.Conn }

func dialNATS(listen subscriber, addr string, got func([]byte)) (Peer, error) {
	c, err := nats.Connect(addr)
	if err != nil {
		return nil, err
	}
	if err := listen(c, natsBack, func(m *nats.Msg) { got(m.Data) }); err != nil {
		return nil, err
	}
	return natsPeer{c}, c.Flush()
}

func (p natsPeer) Send(message []byte) error { return p.c.Publish(natsThere, message) }

func (p natsPeer) Close() error {
	p.c.Close()
	return nil
}
