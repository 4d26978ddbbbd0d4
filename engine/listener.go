package engine

import (
	"cmp"
	"crypto/tls"
	"errors"
	"iter"
	"net"
	"sync"
	"time"

	"github.com/netasync/netasync/internal/guard"
	"github.com/netasync/netasync/session"
)

const (
	// acceptors is how many goroutines of a listener accept: each waits for an event loop to take
	// what it accepted.
	acceptors = 4

	acceptPauseMin = 5 * time.Millisecond // after an error such as too many open files
	acceptPauseMax = time.Second
)

// Listener accepts connections and makes sessions of them. It is safe for concurrent use.
type Listener struct {
	admission
	ln     net.Listener
	ended  func(*Listener)
	once   sync.Once      // of Close
	busy   sync.WaitGroup // goroutines that may send to accept; endAccept waits for them
	pauses pauses

	mu     sync.Mutex // guards closed, and further work beside it; a leaf
	closed bool
}

var _ door = (*Listener)(nil)

// Listen listens on addr, host:port or unix:path; port 0 chooses a free one. As with the net
// package, the socket file of a process that crashed is in the way until somebody removes it.
// Errors are those of bad options, which name the field, of binding, and ErrShutdown.
func (e *Engine) Listen(addr string, o ListenOptions) (*Listener, error) {
	p, err := o.resolve(&e.host)
	if err != nil {
		return nil, err
	}
	network, address, err := splitAddr(addr)
	if err != nil {
		return nil, err
	}
	listen := e.listen
	if listen == nil { // this sets SO_REUSEADDR where that is right
		listen = p.socket.listenConfig().Listen
	}
	ln, err := listen(e.ctx, network, address)
	if err != nil {
		return nil, e.unlessClosed(err)
	}
	l, err := e.serve(ln, p)
	if err != nil {
		_ = ln.Close()
	}
	return l, err
}

// Serve makes sessions of what a listener of the user's accepts: one that systemd has opened, one
// with SO_REUSEPORT, one that reads the PROXY protocol, one in memory. It takes ln over: the
// Listener's Close closes it, and if it is closed otherwise, so that Accept returns net.ErrClosed,
// the Listener ends. After other errors of Accept it pauses, for up to a second, and goes on. A
// connection that is no *net.TCPConn and no *net.UnixConn is served off the event loops, by a
// goroutine of its own. Errors are those of bad options, which name the field, and ErrShutdown: ln is
// still the caller's then.
func (e *Engine) Serve(ln net.Listener, o ListenOptions) (*Listener, error) {
	if ln == nil {
		return nil, errors.New("netasync: Serve needs a listener")
	}
	p, err := o.resolve(&e.host)
	if err != nil {
		return nil, err
	}
	return e.serve(ln, p)
}

// unlessClosed returns err, or that the engine is shutting down.
func (e *Engine) unlessClosed(err error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return session.ErrShutdown
	}
	return err
}

// serve makes a Listener, unless the engine is shutting down.
func (e *Engine) serve(ln net.Listener, p *plan) (*Listener, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, session.ErrShutdown
	}
	l := &Listener{ln: ln, ended: e.forgetListener}
	e.host.equip(p, cmp.Or(p.Name, cloneAddr(ln.Addr()).String()), cmp.Or(p.log, e.host.log))
	l.open(&e.host, p, l)
	e.listeners[l] = struct{}{}
	e.host.work.Add(1) // until endAccept: so no accepted link is the first work, unseen by Shutdown
	for range acceptors {
		l.busy.Go(l.acceptLoop)
	}
	return l, nil
}

// forgetListener drops a listener that was closed.
func (e *Engine) forgetListener(l *Listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.listeners, l)
}

// AcceptChan returns the channel of accepted sessions. The library closes it when the listener has
// ended. With OnEvent nothing is sent to it. Sessions that begin at about the same time may come in
// another order than their connections: several goroutines accept.
func (l *Listener) AcceptChan() <-chan *session.Session { return l.accept }

// Sessions returns the listener's sessions that have not closed, in no order. It looks at all
// sessions of the engine.
func (l *Listener) Sessions() iter.Seq[*session.Session] { return l.host.sessions.Of(&l.plan.Config) }

// Addr returns the address that the listener is bound to.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// Close stops listening and frees the port. Established sessions live on, also those that wait in
// AcceptChan; those for which there was no room in it are closed. It is idempotent.
func (l *Listener) Close() error {
	var err error
	l.once.Do(func() {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		close(l.done)
		err = l.ln.Close()
		go l.endAccept()
		l.ended(l)
	})
	return err
}

// endAccept closes AcceptChan when no goroutine sends to it any more. A shutdown waits for it.
func (l *Listener) endAccept() {
	defer l.host.work.Done()
	l.busy.Wait()
	l.refused.end()
	close(l.accept)
}

// acceptLoop accepts until the listener is closed. What finds no slot waits in the backlog.
func (l *Listener) acceptLoop() {
	pause := acceptPauseMin
	for l.takeSlot() {
		conn, err := l.accepts()
		if err == nil {
			pause = acceptPauseMin
			l.accepted(conn)
			continue
		}
		l.freeSlot()
		if errors.Is(err, net.ErrClosed) {
			_ = l.Close() // the user may have closed a listener of his own
			return
		}
		l.log.Warn("netasync: accepting failed", "name", session.Quoted(l.plan.Name),
			"error", session.QuotedError(err), "pause", pause)
		l.pauses.begin(err)
		goesOn := l.sleep(pause)
		if l.pauses.end(); !goesOn {
			return
		}
		pause = min(2*pause, acceptPauseMax)
	}
}

// accepts is Accept, guarded.
func (l *Listener) accepts() (net.Conn, error) {
	returned := false
	defer guard.MustReturn("Accept", &returned)
	conn, err := l.ln.Accept()
	returned = true
	if err == nil && conn == nil {
		err = errNoConn
	}
	return conn, err
}

var errNoConn = errors.New("netasync: no connection, and no error either")

// sleep reports false when the listener was closed meanwhile.
func (l *Listener) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.done:
		return false
	}
}

// accepted sets a connection on its way, and sees to it that its slot is freed. It returns when the
// listener may accept the next one.
func (l *Listener) accepted(conn net.Conn) {
	a := &arrival{admission: &l.admission, conn: conn, remote: cloneAddr(conn.RemoteAddr())}
	if !a.enter() {
		l.freeSlot()
		return
	}
	if _, speaksTLS := conn.(*tls.Conn); speaksTLS || l.plan.examines() {
		l.busy.Go(a.examine)
		return
	}
	a.admit()
	l.freeSlot()
}

// admit makes a session of an arrival and offers it to the user, waiting while AcceptChan is full:
// then accepting pauses.
func (l *Listener) admit(a *arrival) error {
	s, err := a.begin()
	if err != nil || l.plan.OnEvent != nil {
		return err
	}
	select {
	case l.accept <- s:
		l.offered()
	case <-l.done:
		_ = s.Close() // the user will not hear of it
	}
	return nil
}
