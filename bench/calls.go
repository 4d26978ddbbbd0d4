package main

import (
	"flag"
	"fmt"
	"time"

	"github.com/netasync/netasync/bench/internal/calls"
	"github.com/netasync/netasync/bench/internal/child"
)

func callLibrary(name string) (calls.Library, error) {
	lib, ok := callers()[name]
	if !ok {
		return lib, fmt.Errorf("no library of calls %q", name)
	}
	return lib, nil
}

// callServer is the answering end of a library of calls in a process of its own.
func callServer(args []string) error {
	return serveLibrary("call-server", "grpc", args, func(name string) (func() (string, error), error) {
		lib, err := callLibrary(name)
		return lib.Serve, err
	})
}

// callClient is the calling end.
func callClient(args []string) error {
	flags := flag.NewFlagSet("call-client", flag.ExitOnError)
	name := flags.String("library", "grpc", "which library")
	var o calls.Options
	flags.StringVar(&o.Addr, "addr", "", "the other end")
	flags.IntVar(&o.Window, "window", 1, "calls under way")
	flags.IntVar(&o.Payload, "payload", 128, "bytes of a request, and of its reply")
	flags.DurationVar(&o.Warm, "warm", 100*time.Millisecond, "time before measuring")
	flags.DurationVar(&o.Measure, "measure", 300*time.Millisecond, "time to measure")
	if err := flags.Parse(args); err != nil {
		return err
	}
	lib, err := callLibrary(*name)
	if err != nil {
		return err
	}
	o.Begin = func() { _ = child.Say(child.Message{Event: child.Begin}) }
	o.End = func() { _ = child.Say(child.Message{Event: child.End}) }
	result, err := calls.Run(lib, o)
	if err != nil {
		return err
	}
	return child.SayResult(result)
}
