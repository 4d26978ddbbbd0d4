//go:build race

package examples

import "os"

// Where the tests run with the race detector, so do the programs, without the
// second for which it lingers at each exit.
func init() {
	buildFlags = append(buildFlags, "-race")
	_ = os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=1")
}
