package testkit

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Cutter is a TCP proxy that cuts each connection after a random number of bytes, by a reset or in
// good order, until it is told to be calm.
type Cutter struct {
	Addr string
	Cuts atomic.Int64

	to   string
	most int // bytes
	calm atomic.Bool
	work sync.WaitGroup
}

// NewCutter returns a proxy in front of an address. Its connections carry at most so many bytes, both
// ways together. It ends with the test.
func NewCutter(t testing.TB, to string, most int) *Cutter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cutter{Addr: ln.Addr().String(), to: to, most: most}
	c.work.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.work.Go(func() { c.serve(conn.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() { _ = ln.Close(); c.work.Wait() })
	return c
}

// Calm lets the connections that begin from now on live.
func (c *Cutter) Calm() { c.calm.Store(true) }

func (c *Cutter) serve(near *net.TCPConn) {
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		_ = near.Close()
		return
	}
	ends := []*net.TCPConn{near, far.(*net.TCPConn)}
	reset := rand.IntN(2) == 0
	over := sync.OnceFunc(func() {
		for _, end := range ends {
			if reset {
				_ = end.SetLinger(0)
			}
			_ = end.Close()
		}
	})
	var left atomic.Int64
	if left.Store(rand.Int64N(int64(c.most))); c.calm.Load() {
		left.Store(1 << 62)
	}
	var pumps sync.WaitGroup
	for i, from := range ends {
		pumps.Go(func() { c.pump(from, ends[1-i], &left); over() })
	}
	pumps.Wait()
}

// pump moves bytes until the end of the stream, or as long as there are any left.
func (c *Cutter) pump(from, to *net.TCPConn, left *atomic.Int64) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		most := left.Add(-int64(n)) + int64(n)
		if most < int64(n) {
			c.Cuts.Add(1)
			_, _ = to.Write(buf[:max(0, most)])
			return
		}
		if _, failed := to.Write(buf[:n]); failed != nil || err != nil {
			return
		}
	}
}
