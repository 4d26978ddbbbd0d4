package calls

import (
	"context"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/netasync/netasync/bench/internal/broker"
)

const natsSubject = "call"

// natsCalls goes by a broker, in the process of the server, as NATS always does.
var natsCalls = Library{Serve: serveNATS, Dial: dialNATS}

func serveNATS() (string, error) {
	s, c, err := broker.Start(server.Options{})
	if err != nil {
		return "", err
	}
	if _, err := c.Subscribe(natsSubject, func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		return "", err
	}
	return s.ClientURL(), c.Flush()
}

func dialNATS(addr string) (Call, error) {
	c, err := nats.Connect(addr)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, request []byte) ([]byte, error) {
		m, err := c.RequestWithContext(ctx, natsSubject, request)
		if err != nil {
			return nil, err
		}
		return m.Data, nil
	}, nil
}
