// Package cli is what the command lines of the example programs have in common.
package cli

import (
	"errors"
	"flag"
	"io"
	"net"
	"os"
)

// Parse parses a command line. A bad flag is answered by an error of one line, not by the whole usage,
// which -h prints to stdout: the error is flag.ErrHelp then.
func Parse(f *flag.FlagSet, args []string) error {
	f.SetOutput(io.Discard)
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		f.SetOutput(os.Stdout)
		f.Usage()
	}
	return err
}

// Address writes an address the way the programs take it: host:port, or unix:/path.
func Address(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return a.String()
}
