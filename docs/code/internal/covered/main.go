// Covered says which regions of the pages no test has run, by a profile of go test -coverprofile.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/netasync/netasync/docs/code/internal/region"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/covered profile")
		os.Exit(2)
	}
	regions, err := region.All(".")
	exitIf(err)
	profile, err := os.ReadFile(os.Args[1])
	exitIf(err)
	blocks, err := parse(string(profile))
	exitIf(err)
	failed := false
	for _, r := range regions {
		if strings.HasSuffix(r.File, "_test.go") {
			continue // it has no coverage, and is run as a test
		}
		source, err := os.ReadFile(r.File)
		exitIf(err)
		missed, err := missedBy(r, source, blocks[r.File])
		exitIf(err)
		for _, m := range missed {
			fmt.Fprintf(os.Stderr, "docs/code/%s\n", m)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

func exitIf(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
