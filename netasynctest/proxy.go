package netasynctest

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy forwards real TCP connections, and has the faults of a [Link] between its two sides: what dials
// it is the host "client", and where it forwards to is "server". So To("server") is the direction of
// requests. It differs from a Network in what the operating system does beside it: the buffers of four
// sockets come to that of the link, a dial is answered also while nothing passes, and what was written
// before a reset may be lost with it, so CutAfter is exact for what leaves the proxy, not for what is
// read; whatever the error of Cut, the ends get that of a reset. Times are real: do not use it in a
// bubble.
type Proxy struct {
	*Link
	ln     net.Listener
	target string
	work   sync.WaitGroup

	mu    sync.Mutex // guards all below; a leaf
	open  map[net.Conn]bool
	ended bool
}

// NewProxy returns a proxy to a TCP address, host:port, which need not be up. It ends with the test.
func NewProxy(t testing.TB, addr string) *Proxy {
	t.Helper()
	n := NewNetwork(t)
	n.addHost("client")
	n.addHost("server")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Link: n.Link("client", "server"), ln: ln, target: addr, open: make(map[net.Conn]bool)}
	t.Cleanup(p.end)
	p.work.Go(p.accept)
	return p
}

// Addr returns where the proxy listens, on a port of its own.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// accept forwards what is dialed.
func (p *Proxy) accept() {
	for {
		conn, err := p.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptor is left, say
			time.Sleep(10 * time.Millisecond)
			continue
		}
		p.work.Go(func() { p.forward(conn) })
	}
}

// forward forwards a connection until both directions have ended: through one in memory, where the
// faults are. One whose target is not there is reset.
func (p *Proxy) forward(client net.Conn) {
	defer p.add(client)()
	server, err := net.DialTimeout("tcp", p.target, Patience)
	if err != nil {
		reset(client)
		return
	}
	defer p.add(server)()
	n := p.n
	n.mu.Lock()
	near, far := n.connect(Addr{"tcp", "client", n.freePort()}, Addr{"tcp", "server", "1"})
	n.mu.Unlock()
	var copies sync.WaitGroup
	copies.Go(func() { pass(near, client) })
	copies.Go(func() { pass(client, near) })
	copies.Go(func() { pass(far, server) })
	copies.Go(func() { pass(server, far) })
	copies.Wait()
	_ = near.Close()
	_ = far.Close()
}

// add notes a connection, and returns what closes it.
func (p *Proxy) add(conn net.Conn) (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[conn] = true
	if p.ended {
		_ = conn.Close()
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, conn)
		_ = conn.Close()
	}
}

// pass copies one half of one direction, with its end: orderly, or by a reset.
func pass(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		reset(to)
		reset(from)
		return
	}
	if c, ok := to.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
}

// reset ends a connection so that the peer reads an error.
func reset(c net.Conn) {
	if c, ok := c.(interface{ SetLinger(sec int) error }); ok {
		_ = c.SetLinger(0)
	}
	_ = c.Close()
}

// end ends the proxy, with the test.
func (p *Proxy) end() {
	_ = p.ln.Close()
	p.mu.Lock()
	p.ended = true
	for conn := range p.open {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.n.end() // a copy may wait for room in memory
	p.work.Wait()
}
