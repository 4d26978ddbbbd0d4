package main

import (
	"flag"
	"fmt"
	"time"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/storm"
)

// stormCommand is the fleet of dialed sessions in a process of its own.
func stormCommand(args []string) error {
	flags := flag.NewFlagSet("storm", flag.ExitOnError)
	name := flags.String("fleet", "byhand", "who dials")
	addr := flags.String("addr", "", "the server")
	sessions := flags.Int("sessions", 100, "how many sessions")
	limit := flags.Duration("limit", time.Minute, "when to give up")
	if err := flags.Parse(args); err != nil {
		return err
	}
	fleet := fleets()[*name]
	if fleet == nil {
		return fmt.Errorf("no fleet %q", *name)
	}
	times, err := storm.Watch(fleet, *addr, *sessions, *limit, func() error {
		return child.Say(child.Message{Event: child.Ready})
	})
	if err != nil {
		return err
	}
	return child.SayResult(times)
}
