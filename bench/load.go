package main

import (
	"flag"
	"time"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/load"
)

// loadCommand is the load generator in a process of its own.
func loadCommand(args []string) error {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	var o load.Options
	flags.StringVar(&o.Addr, "addr", "", "the server")
	flags.IntVar(&o.Conns, "conns", 1, "connections")
	flags.IntVar(&o.Window, "window", 1, "messages under way on each connection")
	flags.IntVar(&o.Payload, "payload", 16, "bytes of a message")
	flags.IntVar(&o.Threads, "threads", 1, "epoll loops")
	flags.BoolVar(&o.Flooded, "flooded", false, "add a slow consumer that is flooded")
	flags.DurationVar(&o.Warm, "warm", 100*time.Millisecond, "time before measuring")
	flags.DurationVar(&o.Measure, "measure", 300*time.Millisecond, "time to measure")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.Begin = func() { _ = child.Say(child.Message{Event: child.Begin}) }
	o.End = func() { _ = child.Say(child.Message{Event: child.End}) }
	result, err := load.Run(o)
	if err != nil {
		return err
	}
	return child.SayResult(result)
}

// idleCommand opens many connections, keeps them until its input ends, and says what it hears on them.
func idleCommand(args []string) error {
	flags := flag.NewFlagSet("idle", flag.ExitOnError)
	addr := flags.String("addr", "", "the server")
	conns := flags.Int("conns", 100, "connections")
	payload := flags.Int("payload", 16, "bytes of the one message that each connection echoes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	crowd, err := load.OpenCrowd(*addr, *conns, *payload)
	if err != nil {
		return err
	}
	defer crowd.Close()
	return child.Listen(crowd.Heard)
}
