package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/netasync/netasync/session"
)

// loops are the engine's gnet event loops, started when the first connection
// needs one. Every connection's gnet context is its *link.
type loops struct {
	gnet.BuiltinEventEngine
	host *host
	opts EngineOptions

	mu      sync.Mutex   // guards client
	client  *gnet.Client // nil before start and after stop
	stopped bool
}

// loopReadBytes is the size of a loop's read buffer. A payload of which only a
// part was read is copied once more: with gnet's 64 KiB that is nearly every one of 64 KiB, and
// their echo took up to 1.7 times as long.
const loopReadBytes = 512 << 10

// enroll hands a connection to a loop and returns once its link has been
// opened there. It closes conn: the loop has a descriptor of its own.
func (p *loops) enroll(conn net.Conn, l *link) error {
	client, err := p.start()
	if err != nil {
		_ = conn.Close()
		return err
	}
	_, err = client.EnrollContext(conn, l)
	return err
}

func (p *loops) start() (*gnet.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil, session.ErrShutdown
	}
	if p.client != nil {
		return p.client, nil
	}
	client, err := gnet.NewClient(p, gnet.WithNumEventLoop(p.opts.Loops), gnet.WithReadBufferCap(loopReadBytes),
		gnet.WithLogger(gnetLogger{p.opts.Logger}))
	if err != nil {
		return nil, err
	}
	if err := client.Start(); err != nil {
		return nil, err
	}
	p.client = client
	return client, nil
}

// stop ends the loops. Nothing is enrolled, and nothing will be.
func (p *loops) stop(ctx context.Context) error {
	p.mu.Lock()
	client := p.client
	p.client, p.stopped = nil, true
	p.mu.Unlock()
	if client == nil {
		return nil
	}
	stopped := make(chan error, 1)
	go func() { stopped <- client.Stop() }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
		return errStuck
	}
}

// OnOpen begins a connection, or takes one back.
func (p *loops) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	return nil, c.Context().(*link).opened(c)
}

// OnTraffic moves what has arrived into the session.
func (p *loops) OnTraffic(c gnet.Conn) gnet.Action {
	return c.Context().(*link).traffic(c)
}

// OnClose ends a connection, unless it has only left the loop.
func (p *loops) OnClose(c gnet.Conn, err error) gnet.Action {
	c.Context().(*link).lost(c, err)
	return gnet.None
}

// opened takes a connection that the loop has begun to serve.
func (l *link) opened(c gnet.Conn) gnet.Action {
	l.mu.Lock()
	back := l.conn != nil
	l.mu.Unlock()
	if back {
		return l.cameBack(c)
	}
	if !l.begin(c) {
		return gnet.Close
	}
	l.recv.Start(true)
	return gnet.None
}

// begin begins the session's connection on a loop, up to its first callback.
func (l *link) begin(c gnet.Conn) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	l.gc, l.fd, l.met = c, c.Fd(), true
	l.mu.Unlock()
	return l.attach()
}

// cameBack lets the loop take the link over, unless somebody writes at this moment. The right to write
// is taken here, and not by comeBack: while that waits for the loop, a callback on the loop may wait for a writer.
func (l *link) cameBack(c gnet.Conn) gnet.Action {
	if !l.recv.HoldWriting() {
		return gnet.Close // of the loop's descriptor: the reader goes on with its own
	}
	defer l.recv.ReleaseWriting()
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return gnet.Close
	}
	conn := l.conn
	l.gc, l.fd, l.conn = c, c.Fd(), nil
	l.off.returned = time.Now()
	l.mu.Unlock()
	l.host.figures.returned.Add(1)
	_ = conn.Close()
	return gnet.None
}

// attach begins the session's connection.
func (l *link) attach() bool {
	l.recv = session.Drive(l.s).Attach(l)
	return l.recv != nil
}

// traffic feeds the session what has arrived, and leaves the loop if its user
// does not keep up: gnet cannot stop reading a connection, and would buffer
// without bound.
func (l *link) traffic(c gnet.Conn) gnet.Action {
	p, err := c.Next(-1)
	if err != nil {
		return gnet.None
	}
	rest, leave, err := l.recv.Feed(p, true)
	if err != nil {
		l.recv.End(err)
		return gnet.Close
	}
	if leave {
		return l.leave(c, rest)
	}
	return gnet.None
}

// lost ends the connection when the loop has done so.
func (l *link) lost(c gnet.Conn, err error) {
	l.mu.Lock()
	if l.gc != c {
		l.mu.Unlock()
		return // it lives on off the loop, or never lived
	}
	l.gc, l.fd, l.ended = nil, -1, true
	l.mu.Unlock()
	defer l.release()
	if l.recv == nil {
		return
	}
	l.recv.End(cause(err))
}

// cause makes an error of gnet's one that says what happened: gnet gives none
// when it closes a connection itself, which without our doing means that it stops.
func cause(err error) error {
	if err == nil {
		return session.ErrShutdown
	}
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return &net.OpError{Op: sys.Syscall, Net: "tcp", Err: sys}
	}
	return err
}
