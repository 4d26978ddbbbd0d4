package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/rival"
)

// server is one echo server in a process of its own.
func server(args []string) error {
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	kind := flags.String("kind", "net", "which echo server")
	beam := flags.String("beam", "", "directory of the compiled Erlang server")
	profile := flags.String("cpuprofile", "", "file to write a CPU profile into, until the input ends")
	var o rival.Options
	flags.StringVar(&o.Addr, "addr", "127.0.0.1:0", "where to listen")
	flags.IntVar(&o.Loops, "loops", 0, "event loops (0: the server's own choice)")
	flags.DurationVar(&o.Heartbeat, "heartbeat", 0, "period of heartbeats (0: the server's own choice)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *kind == "erlang" {
		return rival.ExecErlang(*beam, o)
	}
	start := servers()[*kind]
	if start == nil {
		return fmt.Errorf("no server of kind %q", *kind)
	}
	addr, err := start(o)
	if err != nil {
		return err
	}
	if *profile == "" {
		return child.Serve(addr.String())
	}
	return profiled(*profile, func() error { return child.Serve(addr.String()) })
}

// profiled writes down what the CPU did while do ran.
func profiled(path string, do func() error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = do()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}
