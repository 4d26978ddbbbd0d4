// Package movingfromwebsocket is a client and a server by coder/websocket, and the same by this library.
package movingfromwebsocket

import (
	"context"
	"log"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

//doc:begin server
const (
	period     = 5 * time.Second // of pings
	timeout    = 4 * period      // of what is not answered
	maxPayload = 4 << 20
)

func serve(answer func([]byte) []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // the client has been answered
		}
		defer c.CloseNow()
		c.SetReadLimit(maxPayload) // else 32 KiB
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go ping(ctx, c)
		for {
			kind, request, err := c.Read(ctx)
			if err == nil {
				err = write(ctx, c, kind, answer(request))
			}
			if err != nil {
				log.Print(r.RemoteAddr, " has gone: ", err)
				return
			}
		}
	}
}

func write(ctx context.Context, c *websocket.Conn, kind websocket.MessageType, p []byte) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return c.Write(ctx, kind, p)
}

// ping ends the connection of a peer that does not answer.
func ping(ctx context.Context, c *websocket.Conn) {
	for beat := time.NewTicker(period); ; {
		select {
		case <-beat.C:
		case <-ctx.Done():
			return
		}
		bounded, cancel := context.WithTimeout(ctx, timeout)
		err := c.Ping(bounded)
		cancel()
		if err != nil {
			c.CloseNow()
			return
		}
	}
}

//doc:end

//doc:begin client
type client struct {
	url string
	out <-chan []byte
	got func([]byte)
}

func (c *client) run(ctx context.Context) {
	const least, most = 100 * time.Millisecond, 5 * time.Second
	for wait := least; ctx.Err() == nil; wait = min(2*wait, most) {
		conn, _, err := websocket.Dial(ctx, c.url, nil)
		if err == nil {
			wait = least
			err = c.talk(ctx, conn)
		}
		//doc:skip
		log.Printf("no connection to %s: %v", c.url, err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		//doc:resume
	}
}

func (c *client) talk(ctx context.Context, conn *websocket.Conn) error {
	defer conn.CloseNow()
	conn.SetReadLimit(maxPayload)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go ping(ctx, conn)
	ended := make(chan error, 1)
	go func() { ended <- c.read(ctx, conn) }()
	for {
		select {
		case m := <-c.out:
			if err := write(ctx, conn, websocket.MessageBinary, m); err != nil {
				cancel()
				<-ended
				return err // m is lost
			}
		case err := <-ended:
			return err
		}
	}
}

func (c *client) read(ctx context.Context, conn *websocket.Conn) error {
	//doc:skip
	for {
		_, answer, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		c.got(answer)
	}
	//doc:resume
}

//doc:end
