package main

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/internal/cli"
)

// collector takes the readings of all sensors. It is an engine with a listener, which are killed and
// made anew; what it has seen of each sensor lives on, as in a database. One goroutine calls its methods.
type collector struct {
	addr      string
	newEngine func(end string) (*netasync.Engine, error)
	engine    *netasync.Engine // nil while it is down
	kills     int
	before    uint64 // readings that the engines before this one have received

	last      []atomic.Uint64                 // by sensor: the number of its latest reading
	shown     atomic.Pointer[netasync.Engine] // the engine, for other goroutines
	skipped   atomic.Uint64                   // numbers that were left out
	misplaced atomic.Uint64                   // readings that came twice, or behind a later one
}

func newCollector(o options) *collector {
	return &collector{addr: o.addr, newEngine: o.newEngine, last: make([]atomic.Uint64, o.sensors)}
}

func (c *collector) up() bool { return c.engine != nil }

// start begins to listen, at the same address each time.
func (c *collector) start() error {
	engine, err := c.newEngine("collector")
	if err != nil {
		return err
	}
	// Inline: the callback runs on the event loop, without a goroutine for any session.
	l, err := engine.Listen(c.addr, netasync.ListenOptions{Name: "collector", OnEvent: c.onEvent, Inline: true})
	if err != nil {
		_ = shutNow(engine)
		return err
	}
	c.engine, c.addr = engine, cli.Address(l.Addr())
	c.shown.Store(engine)
	return nil
}

var errNoReading = errors.New("this is no reading of a sensor")

// onEvent notes one reading. It never blocks, as it must not with Inline.
func (c *collector) onEvent(s *netasync.Session, ev netasync.Event) {
	if ev.Kind != netasync.Message {
		return
	}
	sensor, number, ok := decode(ev.Payload)
	if !ok || sensor >= uint64(len(c.last)) {
		s.CloseNow(errNoReading)
		return
	}
	switch last := c.last[sensor].Swap(number); {
	case number <= last:
		c.misplaced.Add(1)
	default:
		c.skipped.Add(number - last - 1)
	}
}

// received is how many readings have come.
func (c *collector) received() uint64 {
	if c.up() {
		return c.before + c.engine.Stats().Totals.Received
	}
	return c.before
}

// kill ends the engine as a crash would: all connections are cut, and nobody says goodbye.
func (c *collector) kill() {
	_ = shutNow(c.engine) // that it was cut short is no news
	c.gone()
	c.kills++
}

// end waits until each sensor has hung up, and all that it sent has been read. Then the engine ends.
func (c *collector) end(ctx context.Context) {
	if !c.up() {
		return
	}
	for s := range c.engine.Sessions() {
		select {
		case <-s.Done():
		case <-ctx.Done():
		}
	}
	_ = c.engine.Shutdown(ctx) // it has sent nothing that could be left
	c.gone()
}

// gone keeps the figure of an engine that has ended.
func (c *collector) gone() {
	c.before, c.engine = c.received(), nil
	c.shown.Store(nil)
}
