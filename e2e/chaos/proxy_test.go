//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// fault is what the proxy does to a connection.
type fault int

const (
	cut      fault = iota // closes both sides
	hangUp                // says to both sides that nothing more will come, then closes
	reset                 // resets both sides
	halfOpen              // forwards nothing more in one direction, and does not close
	freeze                // nor in the other one
	stall                 // forwards nothing for a while
	dribble               // forwards a few bytes at a time
	delay                 // forwards late
	faults
)

func (f fault) String() string {
	return [...]string{"cut", "hangUp", "reset", "halfOpen", "freeze", "stall", "dribble", "delay"}[f]
}

// proxyBuffer is what the proxy asks of the system for each direction of each socket.
const proxyBuffer = 64 << 10

// chunk is the most that the proxy itself holds of one direction.
const chunk = 32 << 10

// longest is after what time the proxy closes what it has left half open: both ends have given up
// long before.
const longest = 5 * timeout

// A proxy forwards connections, badly.
type proxy struct {
	quiet  chan struct{} // closed: no more faults
	relays sync.WaitGroup
	seed   uint64
	made   [faults]atomic.Int64
	serial atomic.Uint64

	mu        sync.Mutex // guards all below
	listeners []net.Listener
	open      map[*relay]bool
}

func newProxy(seed uint64) *proxy {
	return &proxy{quiet: make(chan struct{}), seed: seed, open: make(map[*relay]bool)}
}

// listen forwards what comes to the address it returns.
func (p *proxy) listen(target string) (string, error) {
	small := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, proxyBuffer)
		}), err)
	}}
	ln, err := small.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	p.listeners = append(p.listeners, ln)
	p.mu.Unlock()
	p.relays.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			p.relays.Go(func() { p.relay(conn.(*net.TCPConn), target) })
		}
	})
	return ln.Addr().String(), nil
}

// calm ends all faults.
func (p *proxy) calm() { close(p.quiet) }

// close ends the proxy and its connections.
func (p *proxy) close() {
	p.mu.Lock()
	for _, ln := range p.listeners {
		_ = ln.Close()
	}
	for r := range p.open {
		r.end()
	}
	p.mu.Unlock()
	p.relays.Wait()
}

// String tells how many faults were made.
func (p *proxy) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d connections", p.serial.Load())
	for f := range faults {
		fmt.Fprintf(&b, ", %d %v", p.made[f].Load(), f)
	}
	return b.String()
}

// relay is one connection and its continuation.
type relay struct {
	p              *proxy
	client, server *net.TCPConn
	over           chan struct{}
	once           sync.Once
	frozen         atomic.Bool
}

// relay forwards a connection until it ends. A server that is not there is what the client sees of
// many proxies: a connection that is reset at once.
func (p *proxy) relay(client *net.TCPConn, target string) {
	n := p.serial.Add(1)
	conn, err := net.DialTimeout("tcp", target, timeout)
	if err != nil {
		_ = client.SetLinger(0)
		_ = client.Close()
		return
	}
	r := &relay{p: p, client: client, server: conn.(*net.TCPConn), over: make(chan struct{})}
	for _, c := range []*net.TCPConn{r.client, r.server} {
		_ = c.SetReadBuffer(proxyBuffer)
		_ = c.SetWriteBuffer(proxyBuffer)
	}
	p.mu.Lock()
	p.open[r] = true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { r.pump(r.client, r.server, rand.New(rand.NewPCG(p.seed, 2*n))) })
	both.Go(func() { r.pump(r.server, r.client, rand.New(rand.NewPCG(p.seed, 2*n+1))) })
	both.Wait()
	r.end()
	p.mu.Lock()
	delete(p.open, r)
	p.mu.Unlock()
}

// end closes both sides.
func (r *relay) end() {
	r.once.Do(func() {
		close(r.over)
		_ = r.client.Close()
		_ = r.server.Close()
	})
}

// pause waits, unless the relay is over meanwhile, or faults are.
func (r *relay) pause(d time.Duration) {
	select {
	case <-r.over:
	case <-r.p.quiet:
	case <-time.After(d):
	}
}

// pump forwards one direction.
func (r *relay) pump(from, to *net.TCPConn, rng *rand.Rand) {
	buf := make([]byte, 1+rng.IntN(chunk))
	for {
		if !r.forward(from, to, buf, untilFault(rng), 0) {
			return
		}
		select {
		case <-r.p.quiet:
		default:
			if f := drawFault(rng); !r.make(f, from, to, buf, rng) {
				return
			}
		}
	}
}

// forward forwards n bytes, and pauses before each write. It reports whether there is more to come.
func (r *relay) forward(from, to *net.TCPConn, buf []byte, n int, pause time.Duration) bool {
	for n > 0 {
		got, err := from.Read(buf[:min(n, len(buf))])
		if pause > 0 {
			r.pause(pause)
		}
		if r.frozen.Load() {
			r.hold()
			return false
		}
		if got > 0 {
			if _, err := to.Write(buf[:got]); err != nil {
				r.end()
				return false
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			_ = to.CloseWrite()
			return false
		case err != nil:
			_ = to.SetLinger(0)
			r.end()
			return false
		}
		n -= got
	}
	return true
}

// hold leaves the relay half open, until its ends have found out: that is the only fault which lasts
// when there are no more.
func (r *relay) hold() {
	select {
	case <-r.over:
	case <-time.After(longest):
	}
	r.end()
}

// untilFault returns after how many bytes the next fault comes: sometimes after a few.
func untilFault(rng *rand.Rand) int {
	if rng.IntN(6) == 0 {
		return 1 + rng.IntN(400)
	}
	return 1 + int(rng.ExpFloat64()*200_000)
}

// drawFault draws one, those more often that do not end the connection.
func drawFault(rng *rand.Rand) fault {
	if rng.IntN(2) == 0 {
		return stall + fault(rng.IntN(int(faults-stall)))
	}
	return fault(rng.IntN(int(stall)))
}

// make makes a fault, and reports whether the direction goes on. What ends a connection swallows
// what was read last.
func (r *relay) make(f fault, from, to *net.TCPConn, buf []byte, rng *rand.Rand) bool {
	r.p.made[f].Add(1)
	switch f {
	case cut:
		_ = from.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, _ = from.Read(buf)
		r.end()
	case hangUp:
		_ = from.CloseWrite()
		_ = to.CloseWrite()
		r.pause(time.Duration(rng.IntN(100)) * time.Millisecond)
		r.end()
	case reset:
		_ = from.SetLinger(0)
		_ = to.SetLinger(0)
		r.end()
	case halfOpen:
		r.hold()
	case freeze:
		r.frozen.Store(true)
		r.hold()
	case stall:
		r.pause(time.Duration(rng.Int64N(int64(timeout) * 3 / 2)))
		return true
	case dribble:
		few := buf[:min(len(buf), 1+rng.IntN(7))]
		return r.forward(from, to, few, 1+rng.IntN(500), time.Millisecond)
	case delay:
		late := time.Duration(1+rng.IntN(30)) * time.Millisecond
		return r.forward(from, to, buf, 1+rng.IntN(2*chunk), late)
	}
	return false
}
