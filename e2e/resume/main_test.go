package resume

import (
	"flag"
	"os"
	"testing"

	"github.com/netasync/netasync/internal/testkit"
)

// cuts is how many connections are cut, over all doors and ways to consume.
var cuts = flag.Int("cuts", 400, "how many connections are cut")

func TestMain(m *testing.M) {
	if part := os.Getenv(partVariable); part != "" {
		os.Exit(play(part))
	}
	testkit.Main(m)
}
