//go:build linux

package chaos

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/netasync/netasync/internal/testkit"
)

var (
	duration = flag.Duration("chaos", 5*time.Second, "how long faults are made")
	seed     = flag.Uint64("seed", 0, "what the plan of faults follows from; 0 takes one from the clock")
)

func TestMain(m *testing.M) {
	if config := os.Getenv(serverVariable); config != "" {
		os.Exit(serve(config))
	}
	testkit.Main(m)
}
