//go:build interop

package e2e_test

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/netasync/netasync/internal/testkit"
)

// interopProxy is a proxy that ends each connection after a random number of bytes, until it is calm.
type interopProxy struct {
	Port string
	to   string

	mu     sync.Mutex
	rng    *rand.Rand
	isCalm bool
	cuts   map[cut]int
	ends   map[net.Conn]bool // all that are open
	made   int               // connections
	ghost  []byte            // what the dialer said on a connection that was cut before it got through
	closed bool
}

// cut is a way to end a connection.
type cut int

const (
	cutReset  cut = iota // for both
	cutFinish            // for both, with FIN where nothing is unread
	cutHalf              // for the dialer alone: the listener is not told
	cutGhost             // before the listener has any of it. It is delivered after the one that comes next
	allCuts
)

func newInteropProxy(t *testing.T, to string, seed uint64) *interopProxy {
	t.Helper()
	ln := testkit.Listen(t)
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := &interopProxy{
		Port: port, to: "127.0.0.1:" + to,
		rng:  rand.New(rand.NewPCG(seed, 0)),
		cuts: make(map[cut]int), ends: make(map[net.Conn]bool),
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			dialer, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { c.serve(dialer) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		c.mu.Lock()
		c.closed = true
		for end := range c.ends {
			end.Close()
		}
		c.mu.Unlock()
		serving.Wait()
	})
	return c
}

// calm ends the cutting, also of connections that there are. There must have been enough of each kind.
func (c *interopProxy) calm(t *testing.T, enough int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCalm = true
	for how := range allCuts {
		if c.cuts[how] < enough {
			t.Errorf("%d cuts of kind %d, want %d", c.cuts[how], how, enough)
		}
	}
	t.Logf("cuts: %v", c.cuts)
}

// wholeHello is how many bytes a Hello without a token has, with its escape.
const wholeHello = 4 + 4 + 59

// fate says after how many bytes, and how, a connection is cut. The first ones lose their Welcome.
func (c *interopProxy) fate() (budget int, how cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made++; c.made <= 6 {
		return wholeHello + 8*(c.made-1), cut(c.made % int(cutGhost))
	}
	how = cut(c.rng.IntN(int(allCuts)))
	most := []int{200, 4_000, 4_000, 80_000}[c.rng.IntN(4)]
	return c.rng.IntN(most), how
}

// own has end closed with the proxy. It reports false when that is over.
func (c *interopProxy) own(end net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		end.Close()
		return false
	}
	c.ends[end] = true
	return true
}

func (c *interopProxy) drop(end net.Conn, reset bool) {
	if reset {
		_ = end.(*net.TCPConn).SetLinger(0)
	}
	end.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ends, end)
}

func (c *interopProxy) serve(dialer net.Conn) {
	if !c.own(dialer) {
		return
	}
	budget, how := c.fate()
	if how == cutGhost && c.keepGhost(dialer) {
		return
	}
	listener, err := net.Dial("tcp", c.to)
	if err != nil || !c.own(listener) {
		c.drop(dialer, true)
		return
	}
	p := &pipe{interopProxy: c, budget: budget}
	p.over = sync.OnceFunc(func() { c.end(dialer, listener, how) })
	var pumps sync.WaitGroup
	pumps.Go(func() { p.pump(dialer, listener) })
	pumps.Go(func() { p.pump(listener, dialer) })
	pumps.Wait()
	p.over()
}

// end cuts, and does what was put off until there has been one more connection.
func (c *interopProxy) end(dialer, listener net.Conn, how cut) {
	c.mu.Lock()
	if c.isCalm {
		how = cutFinish
		c.ghost = nil // behind the end of a session it would begin a new one, and rightly
	}
	c.cuts[how]++
	ghost := c.ghost
	c.ghost = nil
	c.mu.Unlock()
	c.drop(dialer, how == cutReset)
	if how != cutHalf {
		c.drop(listener, how == cutReset)
	}
	if ghost != nil {
		c.haunt(ghost)
	}
}

// keepGhost takes what a dialer says first, and ends its connection.
func (c *interopProxy) keepGhost(dialer net.Conn) bool {
	c.mu.Lock()
	calm := c.isCalm
	c.mu.Unlock()
	if calm {
		return false
	}
	header := make([]byte, 8)
	if _, err := io.ReadFull(dialer, header); err != nil {
		c.drop(dialer, true)
		return true
	}
	body := make([]byte, binary.BigEndian.Uint32(header[4:]))
	_, _ = io.ReadFull(dialer, body)
	c.mu.Lock()
	if c.ghost = append(header, body...); !c.isCalm {
		c.cuts[cutGhost]++
	}
	c.mu.Unlock()
	c.drop(dialer, true)
	return true
}

// haunt says to the listener what was kept, and waits until it has refused that.
func (c *interopProxy) haunt(ghost []byte) {
	late, err := net.Dial("tcp", c.to)
	if err != nil || !c.own(late) {
		return
	}
	defer c.drop(late, true)
	_ = late.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = late.Write(ghost)
	_, _ = io.Copy(io.Discard, late)
}

// pipe is the two directions of a connection, which may take so many bytes together.
type pipe struct {
	*interopProxy
	over   func()
	budget int // guarded by interopProxy.mu
}

func (p *pipe) pump(from, to net.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		allowed := p.spend(n)
		_, failed := to.Write(buffer[:allowed])
		switch {
		case failed == nil && errors.Is(err, io.EOF):
			_ = to.(*net.TCPConn).CloseWrite()
			return
		case failed != nil || err != nil || allowed < n:
			p.over()
			return
		}
	}
}

func (p *pipe) spend(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isCalm {
		return n
	}
	n = min(n, p.budget)
	p.budget -= n
	return n
}
