package engine

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"

	"github.com/netasync/netasync/session"
)

// loops are the engine's gnet event loops, started when the first connection needs one. Every
// connection's gnet context is its *link.
type loops struct {
	gnet.BuiltinEventEngine
	host *host
	opts EngineOptions

	mu      sync.Mutex   // guards client
	client  *gnet.Client // nil before start and after stop
	stopped bool

	running atomic.Int64 // how many there are: for those who look, who do not wait for mu
}

// maxLoops is the most that gnet starts.
const maxLoops = 256

// enroll hands a connection to a loop and returns once its link has been opened there. It closes
// conn: the loop has a descriptor of its own.
func (p *loops) enroll(conn net.Conn, l *link) error {
	client, err := p.start()
	if err != nil {
		_ = conn.Close()
		return err
	}
	_, err = client.EnrollContext(conn, l)
	return err
}

// start returns the loops' gnet client, starting it if need be.
func (p *loops) start() (*gnet.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil, session.ErrShutdown
	}
	if p.client != nil {
		return p.client, nil
	}
	client, err := startClient(p, p.opts.Logger, gnet.WithNumEventLoop(p.opts.Loops),
		gnet.WithReadBufferCap(p.opts.LoopBuffer), gnet.WithLockOSThread(p.opts.LockOSThread))
	if err != nil {
		return nil, err
	}
	p.client = client
	p.running.Store(int64(min(p.opts.Loops, maxLoops)))
	return client, nil
}

// stop ends the loops. Nothing is enrolled, and nothing will be.
func (p *loops) stop(ctx context.Context) error {
	p.mu.Lock()
	client := p.client
	p.client, p.stopped = nil, true
	p.running.Store(0)
	p.mu.Unlock()
	if client == nil {
		return nil
	}
	stopped := make(chan error, 1)
	go stopClient(client, stopped)
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
		return errStuck
	}
}

// stopClient tells stopped, which has a slot for it, how client.Stop ended. That cannot be told to
// give up.
func stopClient(client *gnet.Client, stopped chan<- error) { stopped <- client.Stop() }

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
