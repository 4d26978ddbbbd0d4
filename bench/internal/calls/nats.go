package calls

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const natsSubject = "call"

// natsCalls goes by a broker, in the process of the server, as NATS always does.
var natsCalls = Library{Serve: serveNATS, Dial: dialNATS}

func serveNATS() (string, error) {
	broker, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		return "", err
	}
	broker.Start()
	if !broker.ReadyForConnections(5 * time.Second) {
		return "", fmt.Errorf("nats: the embedded server did not start")
	}
	c, err := nats.Connect(broker.ClientURL())
	if err != nil {
		return "", err
	}
	if _, err := c.Subscribe(natsSubject, func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		return "", err
	}
	return broker.ClientURL(), c.Flush()
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
