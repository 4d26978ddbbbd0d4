package main

import (
	"flag"
	"fmt"
	"time"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/pair"
)

func library(name string) (pair.Library, error) {
	lib, ok := libraries()[name]
	if !ok {
		return lib, fmt.Errorf("no message library %q", name)
	}
	return lib, nil
}

// pairServer is the echoing end of a message library in a process of its own.
func pairServer(args []string) error {
	return serveLibrary("pair-server", "netchan", args, func(name string) (func() (string, error), error) {
		lib, err := library(name)
		return lib.Serve, err
	})
}

// serveLibrary is the command of a library's answering end, which find knows by its name.
func serveLibrary(
	command, standard string, args []string, find func(name string) (serve func() (addr string, err error), err error),
) error {
	flags := flag.NewFlagSet(command, flag.ExitOnError)
	name := flags.String("library", standard, "which library")
	if err := flags.Parse(args); err != nil {
		return err
	}
	serve, err := find(*name)
	if err != nil {
		return err
	}
	addr, err := serve()
	if err != nil {
		return err
	}
	return child.Serve(addr)
}

// pairClient is the sending end.
func pairClient(args []string) error {
	flags := flag.NewFlagSet("pair-client", flag.ExitOnError)
	name := flags.String("library", "netchan", "which message library")
	var o pair.Options
	flags.StringVar(&o.Addr, "addr", "", "the other end")
	flags.IntVar(&o.Window, "window", 1, "messages under way")
	flags.IntVar(&o.Payload, "payload", 16, "bytes of a message")
	flags.DurationVar(&o.Warm, "warm", 100*time.Millisecond, "time before measuring")
	flags.DurationVar(&o.Measure, "measure", 300*time.Millisecond, "time to measure")
	if err := flags.Parse(args); err != nil {
		return err
	}
	lib, err := library(*name)
	if err != nil {
		return err
	}
	result, err := pair.Run(lib, o)
	if err != nil {
		return err
	}
	return child.SayResult(result)
}
