package pair

import (
	"bytes"
	"context"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

var websocketPair = Library{Serve: serveWebsocket, Dial: dialWebsocket}

func serveWebsocket() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			ctx := context.Background()
			_ = readAll(ctx, c, func(message []byte) error {
				return c.Write(ctx, websocket.MessageBinary, message)
			})
		}))
	}()
	return "ws://" + l.Addr().String(), nil
}

// readAll gives each message to got in a buffer that the next one reuses.
func readAll(ctx context.Context, c *websocket.Conn, got func([]byte) error) error {
	c.SetReadLimit(-1)
	var buf bytes.Buffer
	for {
		_, r, err := c.Reader(ctx)
		if err != nil {
			return err
		}
		buf.Reset()
		if _, err := buf.ReadFrom(r); err != nil {
			return err
		}
		if err := got(buf.Bytes()); err != nil {
			return err
		}
	}
}

type websocketPeer struct{ *websocket.Conn }

func dialWebsocket(addr string, got func([]byte)) (Peer, error) {
	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, addr, nil)
	if err != nil {
		return nil, err
	}
	go func() {
		_ = readAll(ctx, c, func(message []byte) error {
			got(message)
			return nil
		})
	}()
	return websocketPeer{c}, nil
}

func (p websocketPeer) Send(message []byte) error {
	return p.Write(context.Background(), websocket.MessageBinary, message)
}

func (p websocketPeer) Close() error { return p.CloseNow() }
