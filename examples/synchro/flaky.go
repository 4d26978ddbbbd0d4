package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync/atomic"
)

// flaky makes connections that are cut all the time: each carries a random number of bytes, up to most,
// both ways together, and is reset within the message that has the last of them. By bytes and not by time,
// so that there are as many cuts, and as much comes through, however busy the machine is.
type flaky struct {
	most int64 // over 0
	cuts atomic.Int64
	calm atomic.Bool // connections that begin from now on live
}

// Dial is for ConnectOptions.
func (f *flaky) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	below, err := dialer.DialContext(ctx, network, address)
	if err != nil || f.calm.Load() {
		return below, err
	}
	c := &flakyConn{Conn: below, owner: f}
	c.left.Store(1 + rand.Int64N(f.most))
	return c, nil
}

var errCut = errors.New("cut on purpose")

type flakyConn struct {
	net.Conn
	owner *flaky
	left  atomic.Int64
}

// spend counts bytes, and returns how many of them pass. The first that does not cuts the connection.
func (c *flakyConn) spend(n int) int {
	left := c.left.Add(-int64(n))
	if left >= 0 {
		return n
	}
	before := left + int64(n)
	if before >= 0 {
		c.owner.cuts.Add(1)
	}
	return int(max(before, 0))
}

func (c *flakyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return c.passed(c.spend(n), n, err)
}

func (c *flakyConn) Write(b []byte) (int, error) {
	pass := c.spend(len(b))
	n, err := c.Conn.Write(b[:pass])
	return c.passed(n, len(b), err)
}

// passed returns what Read and Write do, given how many bytes have passed of how many. Where that is not
// all, it resets the connection, so that both ends hear of it.
func (c *flakyConn) passed(n, of int, err error) (int, error) {
	if c.left.Load() >= 0 {
		return n, err
	}
	if n < of {
		if t, ok := c.Conn.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		_ = c.Conn.Close()
	}
	return n, errCut
}
