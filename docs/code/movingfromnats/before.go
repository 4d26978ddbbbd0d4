// Package movingfromnats is what a few processes say to each other by NATS, and by this library.
package movingfromnats

import (
	"context"
	"fmt"
	"log"

	"github.com/nats-io/nats.go"
)

//doc:begin connect
func connect(url, name string) (*nats.Conn, error) {
	return nats.Connect(url, nats.Name(name), nats.MaxReconnects(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { log.Print(name, " is disconnected: ", err) }),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Print(name, " is back at ", nc.ConnectedUrl()) }))
}

//doc:end

//doc:begin pricing

// pricing is the process that has the prices.
func pricing(nc *nats.Conn, quote func([]byte) []byte) (publish func(room string, price []byte) error, err error) {
	_, err = nc.Subscribe("quotes", func(m *nats.Msg) {
		if err := m.Respond(quote(m.Data)); err != nil {
			log.Print(err)
		}
	})
	if err == nil {
		err = nc.Flush() // the broker knows of it
	}
	return func(room string, price []byte) error { return nc.Publish("prices."+room, price) }, err
}

//doc:end

//doc:begin watch

// watch is one of those that want to know them.
func watch(nc *nats.Conn, room string, got func(price []byte)) error {
	if _, err := nc.Subscribe("prices."+room, func(m *nats.Msg) { got(m.Data) }); err != nil {
		return err
	}
	return nc.Flush()
}

func ask(ctx context.Context, nc *nats.Conn, what string) (string, error) {
	m, err := nc.RequestWithContext(ctx, "quotes", []byte(what))
	if err != nil {
		return "", fmt.Errorf("quote of %s: %w", what, err) // with nats.ErrNoResponders nobody has had it
	}
	return string(m.Data), nil
}

//doc:end
