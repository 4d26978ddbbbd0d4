package session

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// pipe is one direction of a connection in memory. It holds so many bytes.
type pipe struct {
	mu     sync.Mutex // guards all below
	change *sync.Cond
	held   []byte
	room   int
	ended  bool // nothing more comes
	broken bool
	left   int // so many bytes are taken before the fault
	fault  fault
}

// fault is what happens to a pipe.
type fault int

const (
	faultBreak   fault = iota // it breaks, and loses what it holds
	faultEnd                  // it ends
	faultSwallow              // it takes everything and brings nothing
)

func (p *pipe) faultAfter(n int, f fault) { p.left, p.fault = n, f }

// strike makes the fault happen. The caller holds mu.
func (p *pipe) strike() {
	p.ended, p.broken = true, p.fault == faultBreak
	p.change.Broadcast()
}

func newPipe(room int) *pipe {
	p := &pipe{room: room, left: unbounded}
	p.change = sync.NewCond(&p.mu)
	return p
}

// end ends the pipe. A broken one loses what it holds; one that has ended before does not break.
func (p *pipe) end(broken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended, p.broken = true, p.broken || broken && !p.ended
	p.change.Broadcast()
}

func (p *pipe) read(buf []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.held) == 0 && !p.ended {
		p.change.Wait()
	}
	if p.broken {
		return 0, errCut
	}
	if len(p.held) == 0 {
		return 0, io.EOF
	}
	n := copy(buf, p.held)
	p.held = p.held[:copy(p.held, p.held[n:])]
	p.change.Broadcast()
	return n, nil
}

func (p *pipe) write(b []byte, wait bool) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if p.ended {
			return n, net.ErrClosed
		}
		if p.left == 0 && p.fault == faultSwallow {
			return len(b), nil
		}
		taken := min(len(b)-n, p.room-len(p.held), p.left)
		if p.left -= taken; p.left == 0 && p.fault != faultSwallow {
			p.held = append(p.held, b[n:n+taken]...)
			p.strike()
			return n + taken, net.ErrClosed
		}
		p.held = append(p.held, b[n:n+taken]...)
		p.change.Broadcast()
		if n += taken; n == len(b) || !wait {
			return n, nil
		}
		p.change.Wait()
	}
}

// wire is one end of a connection in memory, and a Link.
type wire struct{ in, out *pipe }

func newWires(room int) (near, far *wire) {
	a, b := newPipe(room), newPipe(room)
	return &wire{a, b}, &wire{b, a}
}

func (w *wire) Write(bufs [][]byte, wait bool) (total int, err error) {
	for i, b := range bufs {
		n, err := w.out.write(b, wait)
		total += n
		if err != nil || n < len(b) {
			return total, err
		}
		bufs[i] = nil
	}
	return total, nil
}

// Finish waits until the other end has read everything.
func (w *wire) Finish(deadline time.Time) {
	w.out.end(false)
	timer := time.AfterFunc(time.Until(deadline), w.Close)
	defer timer.Stop()
	w.out.mu.Lock()
	defer w.out.mu.Unlock()
	for len(w.out.held) > 0 && !w.out.broken {
		w.out.change.Wait()
	}
}

func (w *wire) Close()                          { w.in.end(true); w.out.end(true) }
func (w *wire) Pulse() (Pulse, bool)            { return Pulse{}, false }
func (w *wire) Backlog() Backlog                { return Backlog{} }
func (w *wire) Addrs() (local, remote net.Addr) { return unbound{}, unbound{} }
func (w *wire) TLS() *tls.ConnectionState       { return nil }

// serve reads for a connection: as an event loop does, until the session has to leave that, and
// from then on as the goroutine of a link.
func (w *wire) serve(c *Conn, onLoop bool) {
	c.Start(onLoop)
	for buf := make([]byte, 64<<10); ; {
		n, err := w.in.read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			left, leave, err := c.Feed(rest, onLoop)
			if err != nil {
				c.End(err)
				return
			}
			if leave && onLoop {
				left, onLoop = bytes.Clone(left), false
				scramble(buf[:n])
			} else if len(left) > 0 {
				c.Wait()
			}
			rest = left
		}
		if scramble(buf[:n]); err != nil {
			c.End(err)
			return
		}
	}
}

// scramble makes sure that nobody finds in a read buffer what was there.
func scramble(b []byte) {
	for i := range b {
		b[i] = 0xee
	}
}

// wireDialer is a Redialer that connects to sessions of its own making.
type wireDialer struct {
	s      *Session
	ctx    context.Context
	stop   context.CancelFunc
	kick   chan struct{}
	accept func() *Session
	work   *sync.WaitGroup

	mu   sync.Mutex // guards last
	last *wire
}

func newWireDialer(s *Session, work *sync.WaitGroup, accept func() *Session) *wireDialer {
	d := &wireDialer{s: s, kick: make(chan struct{}, 1), accept: accept, work: work}
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d
}

func (d *wireDialer) Stop()              { d.stop() }
func (d *wireDialer) Redial(bool, error) { d.work.Go(d.dial) }
func (d *wireDialer) Kick() {
	select {
	case d.kick <- struct{}{}:
	default:
	}
}

// dial connects after up to two milliseconds, and several attempts.
func (d *wireDialer) dial() {
	for {
		select {
		case <-time.After(time.Duration(rand.IntN(2000)) * time.Microsecond):
		case <-d.kick:
		case <-d.ctx.Done():
			return
		}
		if !Drive(d.s).Dialing() {
			return
		}
		if rand.IntN(4) == 0 {
			Drive(d.s).DialFailed(errCut)
			continue
		}
		near, far := newWires(4_000 + rand.IntN(100_000))
		c := Drive(d.s).Attach(near, 0)
		if c == nil {
			return
		}
		d.mu.Lock()
		d.last = near
		d.mu.Unlock()
		d.work.Go(func() { near.serve(c, rand.IntN(2) == 0) })
		if peer := Drive(d.accept()).Attach(far, 0); peer != nil {
			d.work.Go(func() { far.serve(peer, rand.IntN(2) == 0) })
		}
		return
	}
}

// cut breaks the last connection.
func (d *wireDialer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != nil {
		d.last.Close()
	}
}
