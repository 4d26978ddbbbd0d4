// Command bench measures this library beside its peers: it starts echo servers and load as processes of its own,
// round by round, and reports ratios of medians. See README.md.
package main

import (
	"fmt"
	"os"
	"sort"
)

// commands are the parts of the benchmark. People use run and table; run starts the others as children,
// and so can a person who profiles one server.
var commands = map[string]func(args []string) error{
	"server":          server,
	"load":            loadCommand,
	"idle":            idleCommand,
	"pair-server":     pairServer,
	"pair-client":     pairClient,
	"call-server":     callServer,
	"call-client":     callClient,
	"storm":           stormCommand,
	"fan-server":      fanServer,
	"fan-crowd":       fanCrowd,
	"cluster-member":  clusterMember,
	"cluster-sink":    clusterSink,
	"cluster-mover":   clusterMover,
	"cluster-callers": clusterCallers,
	"run":             run,
	"table":           table,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		usage()
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func usage() {
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Fprintf(os.Stderr, "usage: bench COMMAND [flags]\ncommands: %v\n", names)
}
