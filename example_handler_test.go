package netasync_test

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/panjf2000/gnet/v2"

	"github.com/netasync/netasync"
)

// greeter is a user's own gnet server: it answers a question mark with a greeting, and has message
// channels for the other connections. Whatever it does not define is the Handler's.
type greeter struct {
	*netasync.Handler
	booted chan gnet.Engine
}

func (g *greeter) OnBoot(engine gnet.Engine) gnet.Action {
	g.booted <- engine
	return g.Handler.OnBoot(engine)
}

// OnOpen does nothing yet: the first byte says whose the connection is.
func (g *greeter) OnOpen(gnet.Conn) ([]byte, gnet.Action) { return nil, gnet.None }

func (g *greeter) OnTraffic(c gnet.Conn) gnet.Action {
	if c.Context() == nil {
		first, _ := c.Peek(1)
		c.SetContext(string(first) == "?")
	}
	if c.Context() == true {
		_, _ = c.Write([]byte("good day\n"))
		return gnet.Close
	}
	return g.Handler.OnTraffic(c) // a message begins with its length, here with 0
}

// One port of a gnet server that is there already serves message channels, too: its handler calls
// those of a [netasync.Handler] for the connections that are none of its own.
func ExampleNewHandler() {
	handler, _ := netasync.NewHandler(netasync.ListenOptions{
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				_ = s.Send(context.Background(), append([]byte("you said "), ev.Payload...))
			}
		},
	})
	g := &greeter{handler, make(chan gnet.Engine, 1)}
	ended := make(chan error)
	go func() { ended <- gnet.Run(g, "tcp://127.0.0.1:0", gnet.WithLogger(silent{})) }()
	engine := <-g.booted
	addr := addrOf(engine)

	fmt.Print(askPlainly(addr, "?"))
	fmt.Println(ask(addr, "hello"))

	_ = handler.Shutdown(context.Background()) // its sessions
	_ = engine.Stop(context.Background())      // the rest is the user's
	fmt.Println(<-ended)
	// Output:
	// good day
	// you said hello
	// <nil>
}

// addrOf returns where a gnet engine listens, which matters for port 0 alone.
func addrOf(engine gnet.Engine) string {
	fd, err := engine.Dup()
	if err != nil {
		panic(err)
	}
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// askPlainly sends plain text, and returns the answer.
func askPlainly(addr, text string) string {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(text))
	answer := make([]byte, 100)
	n, _ := conn.Read(answer)
	return string(answer[:n])
}

// silent is a logger for gnet, whose own writes to the standard output.
type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}
