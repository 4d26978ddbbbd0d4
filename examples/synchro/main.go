// Command synchro keeps a state in many processes: a master has it, mirrors follow it, and any of them
// may change it by commands, each of which is executed once, whatever the network does.
//
//	go run ./examples/synchro master
//	go run ./examples/synchro mirror -name a -flaky
//	go run ./examples/synchro mirror -name b
//
// Each mirror counts under its own name, and asks the master to let that pass only if no other has
// counted meanwhile. All print the same lines. With -flaky a mirror's connection is cut all the time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/internal/cli"
)

func main() {
	cli.Main("synchro", parseFlags, func(ctx context.Context, o options) error { return run(ctx, o, os.Stdout, os.Stderr) })
}

// run is the program. Its lines about the state go to out, and those about the network to status.
func run(ctx context.Context, o options, out, status io.Writer) error {
	engine, err := netasync.NewEngine(netasync.EngineOptions{Loops: 1})
	if err != nil {
		return err
	}
	if o.master {
		err = runMaster(ctx, engine, o, status)
	} else {
		err = runMirror(ctx, engine, o, out, status)
	}
	bounded, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = engine.Shutdown(bounded) // what was not sent is for mirrors that are away: the state ends here
	return err
}

func runMaster(ctx context.Context, engine *netasync.Engine, o options, status io.Writer) error {
	l, err := engine.Listen(o.addr, netasync.ListenOptions{
		MaxSessions: 1000,
		Resume:      true, // for those that ask for it; others are served as ever
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(status, "listening", cli.Address(l.Addr()))
	m := NewMaster()
	m.Run(ctx, l)
	fmt.Fprintf(status, "%d commands executed, %d snapshots sent\n", m.state.Number, m.snapshots.Load())
	return nil
}

func runMirror(ctx context.Context, engine *netasync.Engine, o options, out, status io.Writer) error {
	connect := netasync.ConnectOptions{Resume: o.resume}
	if o.flaky {
		connect.Dial = (&flaky{most: 8 << 10}).Dial
	}
	m, err := NewMirror(engine, o.addr, MirrorOptions{
		Connect:  connect,
		OnChange: func(s State, d *Delta) { report(s, d, out, status) },
		OnEvent: func(ev netasync.Event) {
			if ev.Kind != netasync.Connected {
				fmt.Fprintln(status, ev.Kind, ev.Err)
			} else {
				fmt.Fprintf(status, "connected epoch=%d resumed=%t\n", ev.Epoch, ev.Resumed)
			}
		},
	})
	if err != nil {
		return err
	}
	counted, lost := o.count(ctx, m)
	m.Close()
	fmt.Fprintf(status, "%s has counted %d times, and does not know of %d; %d outages, %d snapshots\n",
		o.name, counted, lost, m.outages.Load(), m.snapshots.Load())
	return m.Err()
}

// report prints every 20th state, so that what mirrors print can be compared. A mirror that was away may
// leave some out.
func report(s State, d *Delta, out, status io.Writer) {
	if d == nil {
		fmt.Fprintf(status, "snapshot of version %d\n", s.Number)
	}
	if s.Number%20 != 0 || s.Number == 0 {
		return
	}
	line, sum := fmt.Sprintf("version %d:", s.Number), int64(0)
	for _, name := range slices.Sorted(maps.Keys(s.Values)) {
		line += fmt.Sprintf(" %s=%d", name, s.Values[name])
		sum += s.Values[name]
	}
	fmt.Fprintf(out, "%s sum=%d\n", line, sum)
}

// count counts until ctx, or the mirror, ends. It returns how often it did, and how often nobody knows.
func (o options) count(ctx context.Context, m *Mirror) (counted, lost int) {
	tick := make(<-chan time.Time) // never
	if o.every > 0 {
		ticker := time.NewTicker(o.every)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-tick:
			switch err := increment(ctx, m, o.name); {
			case err == nil:
				counted++
			case errors.Is(err, ErrLost):
				lost++
			}
		case <-ctx.Done():
			return counted, lost
		case <-m.Done():
			return counted, lost
		}
	}
}

// increment adds 1 under a name, if nobody has counted since the state that this mirror has, and tries
// again if somebody has.
func increment(ctx context.Context, m *Mirror, name string) error {
	for {
		s := m.State()
		next := s.Values[name] + 1
		s.Values[name] = next - 1 // also if it is not there
		err := m.Do(ctx, Command{Ensure: s.Values, Set: map[string]int64{name: next}})
		if !errors.Is(err, ErrRefused) {
			return err
		}
	}
}

type options struct {
	master bool
	addr   string
	name   string
	every  time.Duration
	flaky  bool
	resume bool
}

// parseFlags reads the command line. Its errors are one line.
func parseFlags(args []string) (o options, err error) {
	role := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		role, args = args[0], args[1:]
	}
	f := flag.NewFlagSet("synchro", flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "synchro master has the state; synchro mirror -name NAME follows it, and counts")
		f.PrintDefaults()
	}
	f.StringVar(&o.addr, "addr", "127.0.0.1:8896", "`address` of the master: host:port, or unix:/path")
	f.StringVar(&o.name, "name", "", "of a mirror: the `name` under which it counts")
	f.DurationVar(&o.every, "every", 100*time.Millisecond, "of a mirror: how often it counts; 0 is never")
	f.BoolVar(&o.flaky, "flaky", false, "of a mirror: its connection is cut all the time")
	f.BoolVar(&o.resume, "resume", false, "of a mirror: it goes on where the last connection was, without a snapshot")
	if err := cli.Parse(f, args); err != nil {
		return o, err
	}
	return o, o.check(role, f)
}

// check finds what makes no sense together.
func (o *options) check(role string, f *flag.FlagSet) error {
	o.master = role == "master"
	switch {
	case role != "master" && role != "mirror":
		return errors.New("want master or mirror, then flags")
	case f.NArg() > 0:
		return fmt.Errorf("%q: want flags only", f.Arg(0))
	case !o.master && o.name == "":
		return errors.New("flag -name: a mirror needs one")
	case o.every < 0:
		return fmt.Errorf("flag -every: %v is negative", o.every)
	}
	var err error
	f.Visit(func(set *flag.Flag) {
		if o.master && set.Name != "addr" {
			err = fmt.Errorf("flag -%s: only of a mirror", set.Name)
		}
	})
	return err
}
