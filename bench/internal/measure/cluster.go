package measure

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/result"
)

// Cluster measures package cluster: three nodes, each a process of its own.
func Cluster(a Asked) Profile { return Profile{full.rounds, a.of(full).clusters()} }

func (z size) clusters() []Case {
	title := func(key, title string, subjects ...string) header {
		return header{info: result.Case{Key: "cluster-" + key, Title: title}, subjects: subjects}
	}
	fewer := func(h header) header { h.rounds = 3; return h }
	times := Times{Warm: 2 * z.times.Warm, Measure: 2 * z.times.Measure}
	senders := []string{"local", "remote", "nats-hand", "nats"}
	return []Case{
		Sends{title("send-1", "Send to a name, 1 caller, 128 B", senders...), 1, 128, times},
		Sends{title("send-64", "Send to 64 names, 64 callers, 128 B", senders...), 64, 128, times},
		Streams{title("stream-128", "one sender to a session of another node, 128 B", streams...), 128, times},
		Streams{title("stream-4k", "one sender to a session of another node, 4 KiB", streams...), 4 << 10, times},
		Rooms{fewer(title("broadcast", "1 to 3 × 10,000 members, 128 B", "netasync", "nats")), 10_000 / z.fan, 128, 20},
		Relays{title("relay-1", "ping-pong, 128 B, beside 19 idle", relayed...), 1, 128, times},
		Relays{title("relay-64k", "16 under way × 64 KiB, beside 19 idle", relayed...), 16, 64 << 10, times},
		Failover{title("failover", "the node of 20 clients ends", "kill", "stop"), 20},
		Names{fewer(title("names", fmt.Sprintf("%d names", 100_000/z.fan), "names")), 100_000 / z.fan},
		Starts{title("start", "one node starts, and three until each knows the others", "alone", "three")},
		Sizes{header{info: result.Case{Key: "cluster-size", Title: "a small program"}, subjects: sizes, rounds: 1}},
	}
}

// group is the members of a cluster.
type group []*child.Process

// gather starts so many processes and has them meet. On an error none is left.
func gather(ctx context.Context, kind string, count int) (g group, err error) {
	addrs, err := freeAddrs(count)
	if err != nil {
		return nil, err
	}
	if g, err = processes(ctx, kind, count); err != nil {
		return nil, err
	}
	if err = g.meet(addrs); err != nil {
		g.kill()
	}
	return g, err
}

// meet starts members at these addresses, and returns when each knows the others.
func (g group) meet(addrs []string) error {
	return g.each(func(i int, p *child.Process) error {
		if err := p.Do(nil, "start", addrs[i], strings.Join(addrs, ",")); err != nil {
			return err
		}
		return p.Do(nil, "meet", itoa(len(g)-1))
	})
}

// processes starts so many, which wait for what they are told.
func processes(ctx context.Context, kind string, count int) (g group, err error) {
	for range count {
		p, _, err := child.This.StartServer(ctx, "cluster-member", "-kind", kind)
		if err != nil {
			g.kill()
			return nil, err
		}
		g = append(g, p)
	}
	return g, nil
}

// each does something with all at the same time.
func (g group) each(do func(i int, p *child.Process) error) error {
	errs := make([]error, len(g))
	var work sync.WaitGroup
	for i, p := range g {
		work.Go(func() { errs[i] = do(i, p) })
	}
	work.Wait()
	return errors.Join(errs...)
}

func (g group) kill() {
	for _, p := range g {
		p.Kill()
	}
}

// cpu is what the system has charged all of them so far.
func (g group) cpu() (sum time.Duration, err error) {
	for _, p := range g {
		usage, err := p.Usage()
		if err != nil {
			return 0, err
		}
		sum += usage.CPU
	}
	return sum, nil
}

// during waits for both ends of the measured time of who measures, and returns what the group has used between.
func (g group) during(measures *child.Process) (time.Duration, error) {
	if _, err := measures.Await(child.Begin); err != nil {
		return 0, err
	}
	before, err := g.cpu()
	if err != nil {
		return 0, err
	}
	if _, err = measures.Await(child.End); err != nil {
		return 0, err
	}
	after, err := g.cpu()
	return after - before, err
}

// freeAddrs finds free ports for members that must know each other's before they begin. They lie below those that
// the system gives to dialing sockets, or a dial to an absent member might take its port.
func freeAddrs(count int) (addrs []string, err error) {
	lowest, err := ephemeral()
	if err != nil {
		return nil, err
	}
	for port := lowest - 1001; port > lowest-3000 && len(addrs) < count; port-- {
		addr := net.JoinHostPort("127.0.0.1", itoa(port))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		if err = l.Close(); err != nil {
			return nil, err
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) < count {
		return nil, fmt.Errorf("no %d free ports below %d", count, lowest)
	}
	return addrs, nil
}
