package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Main is the main function of a program. A command line that parse refuses ends it with status 2, and a
// failure of run with 1, or what ExitStatus says: either is told on stderr. The context ends by the first
// signal; a second one ends the program at once.
func Main[O any](program string, parse func(args []string) (O, error), run func(context.Context, O) error) {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fail(program, 2, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, o); err != nil {
		status := 1
		if s := (ExitStatus)(nil); errors.As(err, &s) {
			status = s.ExitStatus()
		}
		fail(program, status, err)
	}
}

// ExitStatus is an error that has the program end with a status of its own.
type ExitStatus interface {
	error
	ExitStatus() int
}

func fail(program string, status int, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
	os.Exit(status)
}
