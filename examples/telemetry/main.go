// Command telemetry is a thousand sensors that report to a collector, which is killed and started anew
// while they do. A line a second shows what becomes of them and of their readings.
//
//	go run ./examples/telemetry -debug 127.0.0.1:8080
//
// With -debug a page shows all sessions, and who of them is in trouble.
// It ends with Ctrl-C, or after -for, and then tells where each reading has gone.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/netasync/netasync/debugpage"
	"github.com/netasync/netasync/examples/internal/cli"
)

func main() {
	cli.Main("telemetry", parse, func(ctx context.Context, o options) error { return run(ctx, o, os.Stdout) })
}

const (
	perSensor = 4  // descriptors: one at each end, and another while the connection is made
	spare     = 64 // descriptors for everything else
)

// run lets the sensors and the collector live until ctx ends.
func run(ctx context.Context, o options, out io.Writer) error {
	if o.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.length)
		defer cancel()
	}
	if err := cli.CheckDescriptors("-sensors", o.sensors, perSensor, spare); err != nil {
		return err
	}
	c := newCollector(o)
	if err := c.start(); err != nil {
		return err
	}
	fmt.Fprintln(out, "listening", c.addr)
	f, err := newFleet(o, c.addr)
	if err != nil {
		c.kill()
		return err
	}
	stop, err := cli.Debug(o.debug, out, func() []debugpage.Source {
		if e := c.shown.Load(); e != nil {
			return []debugpage.Source{f.engine, e}
		}
		return []debugpage.Source{f.engine}
	})
	if err != nil {
		end(f, c)
		return err
	}
	defer stop()
	measuring, cancel := context.WithCancel(ctx)
	measured := make(chan error, 1)
	go func() { measured <- f.measure(measuring, o.every) }()

	r := newReport(out, f, c)
	err = restart(ctx, o, c, r)
	cancel()
	err = errors.Join(err, <-measured)
	end(f, c)
	return errors.Join(err, r.summary())
}

// restart kills the collector and starts it anew, again and again, until ctx ends.
func restart(ctx context.Context, o options, c *collector, r *report) error {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	change := time.NewTimer(o.restart)
	defer change.Stop()
	if o.restart == 0 {
		change.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-second.C:
			r.line()
		case <-change.C:
			if c.up() {
				c.kill()
				change.Reset(o.down)
				continue
			}
			if err := c.start(); err != nil {
				return err
			}
			change.Reset(o.restart)
		}
	}
}

// grace bounds the end: what is queued is sent within it or not at all.
const grace = 10 * time.Second

// end ends the sensors first, so that the collector gets what they still have. If it is down, nobody
// will.
func end(f *fleet, c *collector) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if !c.up() {
		cancel()
	}
	_ = f.engine.Shutdown(ctx) // what was not sent is among the figures
	c.end(ctx)
}
