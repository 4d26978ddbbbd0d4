package netasynctest

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Dialer returns what makes connections from a host, for a client that is no engine of the network's:
// for ConnectOptions.Dial, or to speak to a server byte by byte.
func (n *Network) Dialer(host string) func(ctx context.Context, network, address string) (net.Conn, error) {
	n.t.Helper()
	n.addHost(host)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		to, err := locate(host, network, address)
		if err == nil {
			var c *conn
			if c, err = n.dial(ctx, host, to); err == nil {
				return c, nil
			}
		}
		return nil, &net.OpError{Op: "dial", Net: network, Addr: to, Err: err}
	}
}

// dial makes a connection. While nothing passes it waits, like one whose packets get no answer.
func (n *Network) dial(ctx context.Context, host string, to Addr) (*conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	defer context.AfterFunc(ctx, n.wakeDials)()
	there, back := n.lane(host, to.Host), n.lane(to.Host, host)
	arrival := n.wakeDialsAfter(there.delay() + back.delay())
	for there.down || back.down || !arrival() {
		if err := n.refusal(ctx, to.Host); err != nil {
			return nil, err
		}
		n.changed.Wait()
	}
	if err := n.refusal(ctx, to.Host); err != nil {
		return nil, err
	}
	l := n.listeners[to]
	if l == nil {
		return nil, fmt.Errorf("connect: %w", syscall.ECONNREFUSED)
	}
	from := Addr{to.Net, host, ""}
	if to.Net == "tcp" {
		from.Port = n.freePort()
	}
	ours, theirs := n.connect(from, to)
	l.expect(theirs, there.delay())
	return ours, nil
}

// refusal returns why a dial fails now, or nil. The caller holds mu.
func (n *Network) refusal(ctx context.Context, host string) error {
	switch {
	case n.ended:
		return net.ErrClosed
	case n.refusals[host] != nil:
		return n.refusals[host]
	}
	return ctx.Err()
}

// wakeDials makes all dials look again.
func (n *Network) wakeDials() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changed.Broadcast()
}

// wakeDialsAfter returns a function that reports whether d is over, when dials are woken.
func (n *Network) wakeDialsAfter(d time.Duration) (over func() bool) {
	if d <= 0 {
		return func() bool { return true }
	}
	at := time.Now().Add(d)
	time.AfterFunc(d, n.wakeDials)
	return func() bool { return !time.Now().Before(at) }
}
