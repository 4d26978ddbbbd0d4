package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/netasync/netasync"
)

const (
	lobby    = "lobby"
	farewell = "bye"
	patience = 30 * time.Second // that a move, or the end, may take
)

// talkAndMove has Ada and Bob talk to each other, at two nodes, while Ada's connection is moved from node
// to node. All that each says has to come to the other once and in order.
func talkAndMove(ctx context.Context, engine *netasync.Engine, nodes nodes, o options) error {
	ada, err := enter(engine, nodes.servers(), "a", "Ada")
	if err != nil {
		return err
	}
	defer ada.leave()
	bob, err := enter(engine, nodes.servers(), "c", "Bob")
	if err != nil {
		return err
	}
	defer bob.leave()
	both := []string{"Ada@a", "Bob@c"}
	for _, t := range []*talker{ada, bob} {
		if err := t.wait(ctx, func() bool { return slices.Equal(t.members, both) }); err != nil {
			return fmt.Errorf("%s does not see both: %w", t.name, err)
		}
	}
	fmt.Fprintln(o.out, "Ada's session lives at node a, Bob's at node c")
	c := conversation{ctx: ctx, o: o, ada: ada, bob: bob, pace: time.NewTicker(o.every * time.Duration(o.moves) / time.Duration(o.lines))}
	defer c.pace.Stop()
	for move := range o.moves {
		if err := c.move(move+1, nodes[(move+1)%len(nodes)].name); err != nil {
			return err
		}
	}
	return c.end()
}

// conversation is what Ada and Bob say.
type conversation struct {
	ctx      context.Context
	o        options
	ada, bob *talker
	pace     *time.Ticker
	said     int // lines, by each
}

// move moves Ada while both go on talking, and waits until she is back.
func (c *conversation) move(n int, to string) error {
	began, connections := time.Now(), c.ada.connections()
	if err := c.ada.cable.Move(to); err != nil {
		return err
	}
	for c.said < c.o.lines*n/c.o.moves {
		c.said++
		for _, t := range []*talker{c.ada, c.bob} {
			if err := t.say(c.ctx, strconv.Itoa(c.said)); err != nil {
				return err
			}
		}
		select {
		case <-c.pace.C:
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
	if err := c.ada.wait(c.ctx, func() bool { return len(c.ada.links) > connections }); err != nil {
		return fmt.Errorf("move %d: %w", n, err)
	}
	l := c.ada.link(connections)
	if !l.Resumed {
		return fmt.Errorf("move %d: node %s has begun a new session", n, l.server)
	}
	_, err := fmt.Fprintf(c.o.out, "move %2d: connection %d, to node %s, after %v: the session goes on at node %s\n",
		n, l.Epoch, l.server, l.at.Sub(began).Round(time.Millisecond), c.ada.home())
	return err
}

// end waits until all was heard, and says what came of it.
func (c *conversation) end() error {
	for _, t := range []*talker{c.ada, c.bob} {
		if err := t.say(c.ctx, farewell); err != nil {
			return err
		}
	}
	for _, t := range []*talker{c.ada, c.bob} {
		if err := t.wait(c.ctx, func() bool { return t.parted == 2 }); err != nil {
			return fmt.Errorf("%s has not heard all: %w", t.name, err)
		}
	}
	for _, pair := range [][2]*talker{{c.ada, c.bob}, {c.bob, c.ada}, {c.ada, c.ada}} {
		if err := verdict(pair[1].heardOf(pair[0].name), c.said); err != nil {
			return fmt.Errorf("what %s heard of %s: %w", pair[1].name, pair[0].name, err)
		}
	}
	_, err := fmt.Fprintf(c.o.out, "%d messages each way, %d moves: none lost, none twice, in order\n", c.said, c.o.moves)
	return err
}

// verdict says what is wrong with the lines that were heard, of so many that were said.
func verdict(heard []string, said int) error {
	times := make(map[string]int)
	for _, line := range heard {
		times[line]++
	}
	lost, twice, disorder := 0, 0, 0
	for n := range said {
		line := strconv.Itoa(n + 1)
		switch {
		case times[line] == 0:
			lost++
		case times[line] > 1:
			twice++
		case n >= len(heard) || heard[n] != line:
			disorder++
		}
	}
	if lost+twice+disorder > 0 || len(heard) != said {
		return fmt.Errorf("%d of %d lines came; %d lost, %d more than once, %d not in their place", len(heard), said, lost, twice, disorder)
	}
	return nil
}
