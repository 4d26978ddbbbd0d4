package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/cluster"
)

// serveNode is a node with a chat server. It ends with its stdin, or by SIGTERM. ^C is for the program
// that has started it: that ends what is connected first.
func serveNode(name string, peers []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return err
	}
	err = serveChat(ctx, engine, name, peers)
	bounded, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return errors.Join(err, engine.Shutdown(bounded))
}

// serveChat serves until ctx ends.
func serveChat(ctx context.Context, engine *netasync.Engine, name string, peers []string) error {
	node, err := cluster.Start(cluster.Options{Engine: engine, Name: name, Listen: "127.0.0.1:0", Peers: peers})
	if err != nil {
		return err
	}
	c := newChat(node)
	defer c.following.Wait() // which ends with the node
	defer func() {
		bounded, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		_ = node.Shutdown(bounded) // what has not ended by then ends with the process
	}()
	listener, err := c.listen()
	if err != nil {
		return err
	}
	meet(ctx, node, len(peers))
	fmt.Printf(ready, listener.Addr(), node.Addr())
	<-ctx.Done()
	return nil
}

// meet waits until the node knows so many others, or must think that one of them has died.
func meet(ctx context.Context, node *cluster.Node, others int) {
	ctx, cancel := context.WithTimeout(ctx, 2*grace)
	defer cancel()
	for tick := time.Tick(10 * time.Millisecond); len(node.Nodes()) < others; {
		select {
		case <-tick:
		case <-ctx.Done():
			return
		}
	}
}
