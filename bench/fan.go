package main

import (
	"flag"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/fan"
)

// fanServer is what broadcasts, in a process of its own: a message whenever the parent says so.
func fanServer(args []string) error {
	flags := flag.NewFlagSet("fan-server", flag.ExitOnError)
	name := flags.String("contestant", "broadcast", "who broadcasts")
	size := flags.Int("payload", 128, "bytes of a message")
	var o fan.Options
	flags.IntVar(&o.Conns, "conns", 0, "connections")
	flags.StringVar(&o.Slow, "slow", "", "drop, close or latest")
	if err := flags.Parse(args); err != nil {
		return err
	}
	start, err := fan.Known(*name)
	if err != nil {
		return err
	}
	s, err := start(o)
	if err != nil {
		return err
	}
	return child.Broadcast(s.Addr, func() error {
		if err := s.Await(o.Conns); err != nil {
			return err
		}
		o.Conns = 0 // some may be closed from now on
		return s.Send(fan.Message(*size))
	})
}

// fanCrowd is what listens.
func fanCrowd(args []string) error {
	flags := flag.NewFlagSet("fan-crowd", flag.ExitOnError)
	name := flags.String("contestant", "broadcast", "who broadcasts")
	addr := flags.String("addr", "", "where")
	conns := flags.Int("conns", 100, "connections that read")
	silent := flags.Int("silent", 0, "connections that do not")
	size := flags.Int("payload", 128, "bytes of a message")
	warm := flags.Int("warm", 0, "messages before measuring")
	messages := flags.Int("messages", 10, "messages to measure")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c, err := fan.OpenCrowd(*name, *addr, *conns, *silent, *size)
	if err != nil {
		return err
	}
	if err := child.Say(child.Message{Event: child.Ready}); err != nil {
		return err
	}
	for i := range *warm + *messages {
		if err := c.Hear(); err != nil {
			return err
		}
		if err := child.Say(child.Message{Event: child.Heard, Heard: i + 1}); err != nil {
			return err
		}
		if i+1 == *warm {
			c.Forget()
		}
	}
	return child.SayResult(c.Result())
}
