package main

import (
	"flag"
	"fmt"
	"strconv"
	"time"

	"github.com/netasync/netasync/examples/internal/cli"
)

type options struct {
	lasts time.Duration // each way
	cuts  time.Duration // from one to the next, on average
	pace  time.Duration // from one transfer of a bank to its next
	ways  []bool        // whether with Resume
}

// parse reads the command line. Its errors are one line that names the flag.
func parse(args []string) (options, error) {
	o := options{ways: []bool{false, true}}
	var transfers int
	f := flag.NewFlagSet("ledger", flag.ContinueOnError)
	f.DurationVar(&o.lasts, "for", 5*time.Second, "how long each way is shown")
	f.DurationVar(&o.cuts, "cuts", 100*time.Millisecond, "how long a connection lives, on average, until it is cut")
	f.IntVar(&transfers, "transfers", 1000, "how many transfers each bank makes in a second")
	f.BoolFunc("resume", "show only what is with Resume; -resume=false: only what is without", func(text string) error {
		resume, err := strconv.ParseBool(text)
		o.ways = []bool{resume}
		return err
	})
	if err := cli.Parse(f, args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: every option is a flag", f.Arg(0))
	case o.lasts <= 0:
		return o, fmt.Errorf("flag -for: %v, want more than 0", o.lasts)
	case o.cuts < time.Millisecond:
		return o, fmt.Errorf("flag -cuts: %v, want 1ms or more", o.cuts)
	case transfers < 1 || transfers > 100_000:
		return o, fmt.Errorf("flag -transfers: %d, want 1 to 100000", transfers)
	}
	o.pace = time.Second / time.Duration(transfers)
	return o, nil
}
