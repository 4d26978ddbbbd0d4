package main

import (
	"flag"
	"strings"
	"time"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/nodes"
	"github.com/netasync/netasync/bench/internal/pair"
)

// clusterMember is a member of a cluster in a process of its own.
func clusterMember(args []string) error {
	flags := flag.NewFlagSet("cluster-member", flag.ExitOnError)
	kind := flags.String("kind", "netasync", "netasync or nats")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return nodes.Serve(*kind)
}

// clusterSink is clients of one member that receive.
func clusterSink(args []string) error {
	flags := flag.NewFlagSet("cluster-sink", flag.ExitOnError)
	addr := flags.String("addr", "", "the member")
	clients := flags.Int("clients", 1, "how many")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return nodes.Sink(*addr, *clients)
}

// clusterMover is clients that have gone on at another address, of which the last measures.
func clusterMover(args []string) error {
	flags := flag.NewFlagSet("cluster-mover", flag.ExitOnError)
	addr := flags.String("addr", "", "the session's node")
	via := flags.String("via", "", "where it goes on")
	clients := flags.Int("clients", 1, "how many")
	var o pair.Options
	flags.IntVar(&o.Window, "window", 1, "messages under way")
	flags.IntVar(&o.Payload, "payload", 16, "bytes of a message")
	flags.DurationVar(&o.Warm, "warm", 100*time.Millisecond, "time before measuring")
	flags.DurationVar(&o.Measure, "measure", 300*time.Millisecond, "time to measure")
	if err := flags.Parse(args); err != nil {
		return err
	}
	result, err := nodes.Move(*addr, *via, *clients, o)
	if err != nil {
		return err
	}
	return child.SayResult(result)
}

// clusterCallers is clients that talk to whatever node they reach.
func clusterCallers(args []string) error {
	flags := flag.NewFlagSet("cluster-callers", flag.ExitOnError)
	addrs := flags.String("addrs", "", "the nodes, with commas between them")
	clients := flags.Int("clients", 1, "how many")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return nodes.Callers(strings.Split(*addrs, ","), *clients)
}
