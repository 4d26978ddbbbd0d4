package movingfromwebsocket

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/coder/websocket"

	"github.com/netasync/netasync"
)

//doc:begin tunnel

// A gate is a net.Listener, whose connections come by HTTP.
type gate struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	select {
	case g.conns <- websocket.NetConn(context.Background(), c, websocket.MessageBinary):
	case <-g.done:
		c.CloseNow()
	}
}

//doc:skip
func (g *gate) Accept() (net.Conn, error) {
	select {
	case conn := <-g.conns:
		return conn, nil
	case <-g.done:
		return nil, net.ErrClosed
	}
}

func (g *gate) Addr() net.Addr { return g.addr }
func (g *gate) Close() error   { g.once.Do(func() { close(g.done) }); return nil }

//doc:resume

// byHTTP are the options of a client.
var byHTTP = netasync.ConnectOptions{
	Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
		c, _, err := websocket.Dial(ctx, "ws://"+address+"/messages", nil)
		if err != nil {
			return nil, err
		}
		return websocket.NetConn(context.Background(), c, websocket.MessageBinary), nil
	},
}

//doc:end
