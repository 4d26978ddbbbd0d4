package resume

import (
	"flag"
	"os"
	"testing"

	"github.com/netasync/netasync/internal/testkit"
)

// cuts is how many connections are cut, over all doors and ways to consume.
var cuts = flag.Int("cuts", 150, "how many connections are cut; from 1000 on a short exchange is cut after every byte, not every third")

func TestMain(m *testing.M) {
	if part := os.Getenv(partVariable); part != "" {
		os.Exit(play(part))
	}
	testkit.Main(m)
}
