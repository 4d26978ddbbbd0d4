// Command cluster is the chat on three nodes: a tab, or a client, moves from node to node while it talks.
//
//	go -C examples/chat/cluster run .
//	go -C examples/chat/cluster run . -talk
//
// The nodes are processes that this program starts (nodes.go); each has a chat server (room.go), and ends
// with the program. The page is that of examples/chat, with buttons for nodes. With -talk there is no
// page: a client is moved by itself, and counts (talk.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/chat/internal/gateway"
	"github.com/netasync/netasync/examples/internal/cli"
)

func main() { cli.Main("chat/cluster", parse, run) }

// options are what the flags say.
type options struct {
	web   string
	talk  bool
	lines int
	moves int
	every time.Duration
	node  string
	peers []string
	out   io.Writer // what the program says
}

func parse(args []string) (options, error) {
	o := options{out: os.Stdout}
	f := flag.NewFlagSet("chat/cluster", flag.ContinueOnError)
	f.StringVar(&o.web, "web", "127.0.0.1:8080", "`address` of the web page")
	f.BoolVar(&o.talk, "talk", false, "have no page, but a client that is moved while it talks")
	f.IntVar(&o.moves, "moves", 12, "with -talk: how often it is moved")
	f.IntVar(&o.lines, "lines", 300, "with -talk: how many messages go each way")
	f.DurationVar(&o.every, "every", time.Second, "with -talk: the time between two moves")
	f.StringVar(&o.node, "node", "", "be the node with this `name`, until stdin ends: the program starts itself so")
	peers := f.String("peers", "", "with -node: `addresses` of other nodes")
	err := cli.Parse(f, args)
	switch {
	case err != nil:
	case f.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q: every option is a flag", f.Arg(0))
	case o.moves < 1 || o.lines < o.moves:
		err = errors.New("flags -moves and -lines: want a move at least, and a line for each")
	case o.every <= 0:
		err = fmt.Errorf("flag -every: it is %v, and has to be more", o.every)
	}
	o.peers = strings.FieldsFunc(*peers, func(r rune) bool { return r == ',' })
	return o, err
}

// grace bounds each step of the end.
const grace = 5 * time.Second

// run runs until ctx ends, or with -talk until all is said.
func run(ctx context.Context, o options) error {
	if o.node != "" {
		return serveNode(o.node, o.peers)
	}
	nodes, err := startNodes("a", "b", "c")
	defer nodes.stop() // what connects to them ends before
	if err != nil {
		return err
	}
	for _, n := range nodes {
		fmt.Fprintf(o.out, "node %s %s\n", n.name, n.Addr())
	}
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return err
	}
	if o.talk {
		err = talkAndMove(ctx, engine, nodes, o)
	} else {
		err = serve(ctx, engine, nodes, o)
	}
	bounded, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return errors.Join(err, engine.Shutdown(bounded))
}

// serve serves the page until ctx ends.
func serve(ctx context.Context, engine *netasync.Engine, nodes nodes, o options) error {
	web, err := net.Listen("tcp", o.web)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.out, "open http://%s\n", web.Addr())
	return gateway.New(gateway.Options{Engine: engine, Servers: nodes.servers()}).Serve(ctx, web)
}
