package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/netasync/netasync/session"
)

const (
	// acceptors is how many goroutines of a listener accept: each waits for an event loop
	// to take what it accepted.
	acceptors = 4
	// admissions is how many connections a listener authorizes, or offers to its user, at most at a time:
	// while there are more, it accepts none. Handshakes under way do not count: silent peers would shut the others out.
	admissions = 128

	acceptPauseMin = 5 * time.Millisecond // after an error such as too many open files
	acceptPauseMax = time.Second
)

// Listener accepts connections and makes sessions of them. It is safe for concurrent use.
type Listener struct {
	host   *host
	plan   *plan
	ln     net.Listener
	ended  func(*Listener)
	accept chan *session.Session // sent to by admit, closed by Close when nobody admits any more
	done   chan struct{}         // closed by Close
	once   sync.Once
	slots  chan struct{}  // one for each connection that is authorized or offered, where that is not acceptLoop's work
	busy   sync.WaitGroup // goroutines that may admit
	open   gauge
	left   func() // open.exit, bound once
}

// Listen listens on addr, host:port or unix:path; port 0 chooses a free one. As with the net package, the
// socket file of a process that crashed is in the way until somebody removes it.
// Errors are those of bad options, which name the field, of binding, and ErrShutdown.
func (e *Engine) Listen(addr string, o ListenOptions) (*Listener, error) {
	p, err := o.resolve((*sessionHost)(&e.host))
	if err != nil {
		return nil, err
	}
	network, address, err := splitAddr(addr)
	if err != nil {
		return nil, err
	}
	ln, err := new(net.ListenConfig).Listen(e.ctx, network, address) // sets SO_REUSEADDR where that is right
	e.mu.Lock()                                                      // not before: a name may take its time
	defer e.mu.Unlock()
	if e.closed {
		if err == nil {
			_ = ln.Close()
		}
		return nil, session.ErrShutdown
	}
	if err != nil {
		return nil, err
	}
	l := &Listener{
		host: &e.host, plan: p, ln: ln, ended: e.forgetListener,
		accept: make(chan *session.Session, p.acceptBuffer),
		done:   make(chan struct{}),
		slots:  make(chan struct{}, admissions),
		open:   gauge{limit: p.maxSessions},
	}
	l.left = l.open.exit
	e.listeners[l] = struct{}{}
	for range acceptors {
		l.busy.Add(1)
		e.goTracked(l.acceptLoop)
	}
	return l, nil
}

func (e *Engine) forgetListener(l *Listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.listeners, l)
}

// AcceptChan returns the channel of accepted sessions. The library closes it
// when the listener has ended. With OnEvent nothing is sent to it.
func (l *Listener) AcceptChan() <-chan *session.Session { return l.accept }

// Addr returns the address that the listener is bound to.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// Close stops listening and frees the port. Established sessions live on,
// also those that wait in AcceptChan; those for which there was no room in it are closed. It is idempotent.
func (l *Listener) Close() error {
	var err error
	l.once.Do(func() {
		close(l.done)
		err = l.ln.Close()
		l.host.goTracked(func() {
			l.busy.Wait()
			close(l.accept)
		})
		l.ended(l)
	})
	return err
}

// acceptLoop accepts until the listener is closed.
func (l *Listener) acceptLoop() {
	defer l.busy.Done()
	pause := acceptPauseMin
	for {
		conn, err := l.ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			l.host.log.Warn("netasync: accepting failed", "addr", l.ln.Addr(), "error", err, "pause", pause)
			if !l.sleep(pause) {
				return
			}
			pause = min(2*pause, acceptPauseMax)
			continue
		}
		pause = acceptPauseMin
		if !l.open.enter() {
			l.refuse(conn, errMaxSessions)
			continue
		}
		if l.plan.tls == nil && l.plan.authorize == nil {
			l.admit(conn)
			continue
		}
		l.busy.Add(1)
		l.host.goTracked(func() { l.examine(conn) })
		if l.enter() {
			<-l.slots
		}
	}
}

// enter waits for a slot, and reports false when the listener was closed meanwhile.
func (l *Listener) enter() bool {
	select {
	case l.slots <- struct{}{}:
		return true
	case <-l.done:
		return false
	}
}

var errMaxSessions = errors.New("netasync: MaxSessions reached")

func (l *Listener) refuse(conn net.Conn, err error) {
	l.host.figures.refused.Add(1)
	l.host.log.Info("netasync: connection refused", "remote", conn.RemoteAddr(), "error", err)
	_ = conn.Close()
}

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

// examine does the TLS handshake and asks Authorize, which may take their time.
func (l *Listener) examine(conn net.Conn) {
	defer l.busy.Done()
	stop := closeOn(l.done, conn)
	secure, err := l.plan.handshake(conn)
	if err == nil && !l.enter() {
		err = net.ErrClosed
	}
	if err == nil {
		defer func() { <-l.slots }()
		err = l.plan.admits(secure)
	}
	stop()
	if err != nil {
		l.open.exit()
		l.refuse(conn, err)
		return
	}
	l.admit(secure)
}

// closeOn closes conn if done is closed before the returned function is called.
func closeOn(done <-chan struct{}, conn net.Conn) (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-done:
			_ = conn.Close()
		case <-over:
		}
	}()
	return func() { close(over); <-ended }
}

// handshake does that of TLS, if there is to be one.
func (p *plan) handshake(conn net.Conn) (net.Conn, error) {
	if p.tls == nil {
		return conn, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	t := tls.Server(conn, p.tls)
	return t, t.HandshakeContext(ctx)
}

// admits asks Authorize, if there is one.
func (p *plan) admits(conn net.Conn) error {
	if p.authorize == nil {
		return nil
	}
	return p.authorize(conn)
}

// admit makes a session of a connection and offers it to the user, waiting
// while AcceptChan is full: then accepting pauses.
func (l *Listener) admit(conn net.Conn) {
	remote := conn.RemoteAddr()
	s := l.host.sessions.Add(func(id uint64) *session.Session {
		s := session.New(id, &l.plan.Config, remote)
		session.Drive(s).OnClosed(l.left)
		return s
	})
	if s == nil { // shutting down
		l.open.exit()
		_ = conn.Close()
		return
	}
	if ok, err := l.host.serve(s, conn); err != nil || !ok {
		l.host.log.Warn("netasync: serving failed", "remote", remote, "error", err)
		s.CloseNow(err)
		return
	}
	l.host.figures.accepted.Add(1)
	if l.plan.OnEvent != nil {
		return
	}
	select {
	case l.accept <- s:
	case <-l.done:
		_ = s.Close() // nobody will hear of it
	}
}

// gauge counts what is open, up to a limit; 0 is none.
type gauge struct {
	limit int
	mu    sync.Mutex // guards n; a leaf
	n     int
}

func (g *gauge) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.limit > 0 && g.n >= g.limit {
		return false
	}
	g.n++
	return true
}

func (g *gauge) exit() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n--
}
