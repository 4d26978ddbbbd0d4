//go:build linux

package attack

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/netasync/netasync/internal/testkit"
)

const (
	honestClients = 10
	pingEvery     = 5 * time.Millisecond
	pingSize      = 64
)

// crowd is the honest clients of a server. Each sends a message when it is due, whether the one before
// was answered or not; how long an answer takes is counted from then.
type crowd struct {
	clients []*client
	all     sync.WaitGroup
	stop    chan struct{}
}

// client is an honest client.
type client struct {
	conn    net.Conn
	pings   []ping        // answered ones, in order
	said    uint64        // the writer's
	longest time.Duration // that the writer was late itself
	err     error         // why not all were answered
}

type ping struct {
	due  time.Time
	took time.Duration
}

// dialAs connects, and does the handshake of TLS if there is to be one.
func dialAs(addr string, config *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	if config != nil {
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", addr)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", addr)
}

// gather connects the honest clients, which begin to talk.
func gather(addr string, config *tls.Config) (*crowd, error) {
	c := &crowd{stop: make(chan struct{})}
	for range honestClients {
		conn, err := dialAs(addr, config)
		if err != nil {
			return nil, err
		}
		c.clients = append(c.clients, &client{conn: conn})
	}
	for _, one := range c.clients {
		c.all.Go(func() { one.talk(c.stop) })
		c.all.Go(func() { one.listen() })
	}
	return c, nil
}

// disperse waits until all that was said is answered, and hangs up. It returns why something was not
// answered, unless that client itself was late by so much that a server might take it for dead.
func (c *crowd) disperse() (lost []error) {
	close(c.stop)
	for _, one := range c.clients {
		_ = one.conn.SetDeadline(time.Now().Add(testkit.Patience))
	}
	c.all.Wait()
	for i, one := range c.clients {
		_ = one.conn.Close()
		if one.err != nil && one.longest < timeout/2 {
			lost = append(lost, fmt.Errorf("client %d: %d of %d answered: %w", i, len(one.pings), one.said, one.err))
		}
	}
	return lost
}

// lastPing marks the number of the last message of a client.
const lastPing = 1 << 63

// talk sends until it is to stop.
func (c *client) talk(stop <-chan struct{}) {
	frame := testkit.Frames(make([]byte, pingSize))
	for due, more := time.Now(), true; more; due = due.Add(pingEvery) {
		select {
		case <-stop:
			more = false
		case <-time.After(time.Until(due)):
		}
		number := c.said
		if !more {
			number |= lastPing
		}
		binary.BigEndian.PutUint64(frame[4:], number)
		binary.BigEndian.PutUint64(frame[12:], uint64(due.UnixNano()))
		c.longest = max(c.longest, time.Since(due))
		if _, err := c.conn.Write(frame); err != nil {
			return // the reader knows more
		}
		c.said++
	}
}

// listen takes the answers.
func (c *client) listen() {
	in := bufio.NewReader(c.conn)
	for {
		answer, err := testkit.ReadMessage(in)
		if err != nil {
			c.err = err
			return
		}
		number := binary.BigEndian.Uint64(answer)
		if len(answer) != pingSize || number&^lastPing != uint64(len(c.pings)) {
			c.err = fmt.Errorf("got %d bytes, number %x", len(answer), number)
			return
		}
		due := time.Unix(0, int64(binary.BigEndian.Uint64(answer[8:])))
		c.pings = append(c.pings, ping{due, time.Since(due)})
		if number&lastPing != 0 {
			return
		}
	}
}

// between returns how long answers took, sorted, to messages that were due in a span of time. It is
// called after disperse.
func (c *crowd) between(from, to time.Time) (took []time.Duration) {
	for _, one := range c.clients {
		for _, p := range one.pings {
			if !p.due.Before(from) && p.due.Before(to) {
				took = append(took, p.took)
			}
		}
	}
	slices.Sort(took)
	return took
}

// at returns the duration that a part of all does not exceed.
func at(took []time.Duration, part float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	return took[int(part*float64(len(took)-1))]
}

// newcomer connects and says one word, as often as it takes to be answered. It returns how often it
// was sent away.
func newcomer(addr string, config *tls.Config) (refused int, err error) {
	for deadline := time.Now().Add(testkit.Patience); ; refused++ {
		err = visit(addr, config)
		if err == nil || time.Now().After(deadline) {
			return refused, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// visit connects, says one word and hears it.
func visit(addr string, config *tls.Config) error {
	conn, err := dialAs(addr, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(testkit.Patience))
	if _, err := conn.Write(testkit.Frames("hello")); err != nil {
		return err
	}
	answer, err := testkit.ReadMessage(conn)
	if err == nil && string(answer) != "hello" {
		err = fmt.Errorf("got %.40q", answer)
	}
	return err
}
