//go:build linux

package attack

import (
	"flag"
	"os"
	"testing"

	"github.com/netasync/netasync/internal/testkit"
)

var (
	duration = flag.Duration("attack", 0, "how long each attack lasts; 0 is a moment, without package net beside it")
	tries    = flag.Int("tries", 1, "how often each attack is made on each server")
)

func TestMain(m *testing.M) {
	if text := os.Getenv(roleVariable); text != "" {
		os.Exit(play(text))
	}
	testkit.Main(m)
}
