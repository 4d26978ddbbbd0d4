// Command chat is rooms in which people talk by a web page, whose button cuts the connection: what is
// said meanwhile arrives all the same, once and in order.
//
//	go run ./examples/chat
//
// It is two servers in one program. The chat server (room.go) has rooms, whose members are sessions. The
// gateway (internal/gateway) serves the page, and has one session to the chat server for each tab of a
// browser, over a connection that it can cut. With -connect it is a gateway alone, to a chat server
// elsewhere. With -cluster it is another program, examples/chat/cluster, which has three nodes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/chat/internal/gateway"
	"github.com/netasync/netasync/examples/internal/cli"
)

func main() { cli.Main("chat", parse, run) }

// options are what the flags say.
type options struct {
	listen, connect, web string
	cluster              []string // the arguments of the other program; nil: it is not wanted
}

func parse(args []string) (o options, err error) {
	if len(args) > 0 && strings.TrimLeft(args[0], "-") == "cluster" {
		o.cluster = append([]string{}, args[1:]...)
		return o, nil
	}
	f := flag.NewFlagSet("chat", flag.ContinueOnError)
	f.StringVar(&o.web, "web", "127.0.0.1:8080", "`address` of the web page")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8897", "`address` of the chat server: host:port, or unix:/path")
	f.StringVar(&o.connect, "connect", "", "have no chat server, but use the one at this `address`")
	late := f.Bool("cluster", false, "as the first flag: three nodes, by examples/chat/cluster, which has the other flags")
	err = cli.Parse(f, args)
	switch {
	case err != nil:
	case f.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q: every option is a flag", f.Arg(0))
	case *late:
		err = errors.New("flag -cluster has to be the first: those behind it are of the other program")
	}
	return o, err
}

// grace bounds the end: what is queued is flushed within it or not at all.
const grace = 5 * time.Second

// run serves until ctx ends.
func run(ctx context.Context, o options) error {
	if o.cluster != nil {
		return become(o.cluster)
	}
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return err
	}
	err = serve(ctx, engine, o)
	bounded, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return errors.Join(err, engine.Shutdown(bounded))
}

// serve serves until ctx ends.
func serve(ctx context.Context, engine *netasync.Engine, o options) error {
	if o.connect == "" {
		listener, err := listen(engine, o.listen)
		if err != nil {
			return err
		}
		o.connect = cli.Address(listener.Addr())
		fmt.Println("listening", o.connect)
	}
	web, err := net.Listen("tcp", o.web)
	if err != nil {
		return err
	}
	fmt.Printf("open http://%s\n", web.Addr())
	return gateway.New(gateway.Options{Engine: engine, Addr: o.connect}).Serve(ctx, web)
}
