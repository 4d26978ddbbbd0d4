package main

import (
	"flag"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/internal/cli"
)

type options struct {
	addr    string
	sensors int
	every   time.Duration // each sensor sends a reading
	buffer  int           // readings that wait in a sensor
	restart time.Duration // how long the collector lives; 0: it is not restarted
	down    time.Duration // how long it stays away
	length  time.Duration // of the program; 0: until a signal comes
	debug   string        // where the page is; empty: there is none

	// newEngine makes the engine of one end.
	newEngine func(end string) (*netasync.Engine, error)
}

// parse reads the command line. Its errors are one line that names the flag.
func parse(args []string) (options, error) {
	o := options{newEngine: func(string) (*netasync.Engine, error) {
		return netasync.NewEngine(netasync.EngineOptions{})
	}}
	f := flag.NewFlagSet("telemetry", flag.ContinueOnError)
	f.StringVar(&o.addr, "addr", "127.0.0.1:8897", "`address` of the collector: host:port, or unix:/path")
	f.IntVar(&o.sensors, "sensors", 1000, "`number` of sensors")
	f.DurationVar(&o.every, "every", 40*time.Millisecond, "each sensor sends a reading so often")
	f.IntVar(&o.buffer, "buffer", 100, "`readings` that wait in a sensor at most; then the oldest is dropped")
	f.DurationVar(&o.restart, "restart", 4*time.Second, "kill the collector when it has run for so long; 0 means never")
	f.DurationVar(&o.down, "down", 5*time.Second, "start it anew after so long")
	f.DurationVar(&o.length, "for", 0, "end after so long; 0 means by Ctrl-C")
	f.StringVar(&o.debug, "debug", "", "`address` to serve the page of package debugpage at: host:port")
	err := cli.Parse(f, args)
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q: every option is a flag", f.Arg(0))
	}
	if err == nil {
		err = o.check()
	}
	return o, err
}

func (o *options) check() error {
	if _, _, err := net.SplitHostPort(o.addr); err != nil && !strings.HasPrefix(o.addr, "unix:") {
		return fmt.Errorf("flag -addr: %w", err)
	}
	if o.sensors < 1 {
		return fmt.Errorf("flag -sensors: %d, want 1 or more", o.sensors)
	}
	if o.buffer < 1 {
		return fmt.Errorf("flag -buffer: %d, want 1 or more", o.buffer)
	}
	if o.every <= 0 {
		return fmt.Errorf("flag -every: %v, want more than 0", o.every)
	}
	for name, d := range map[string]time.Duration{"restart": o.restart, "down": o.down, "for": o.length} {
		if d < 0 {
			return fmt.Errorf("flag -%s: %v is negative", name, d)
		}
	}
	return nil
}
