package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"

	"github.com/netasync/netasync/session"
)

// admission is how connections become sessions, by the same five steps for a Listener and for a
// Handler:
//
//	1  enter      take a place under MaxSessions
//	2  handshake  do that of TLS
//	3  authorize  ask Authorize
//	4  begin      make the session and start its connection
//	5  offer      send it to AcceptChan, unless OnEvent is set
//
// Steps 2 and 3 may take their time and run in a goroutine of the connection's own, see examine;
// where there are none, the connection needs no goroutine. Steps 4 and 5 are the door's. Whatever a
// connection fails at, it is refused, which happens in one place, see refuse.
type admission struct {
	host   *host
	plan   *plan
	door   door
	accept chan *session.Session // AcceptChan: sent to by the door, closed by its owner
	done   chan struct{}         // closed by the door's owner: cuts off steps 2 and 3
	places gauge
	leave  func()        // places.exit, bound once
	slots  chan struct{} // one for each connection in steps 3 to 5 of examine; nil is no bound
}

// door is what a Listener and a Handler do differently.
type door interface {
	// admit does steps 4 and 5. An error refuses the connection.
	admit(a *arrival) error
}

// open prepares the admission, in place.
func (m *admission) open(h *host, p *plan, d door) {
	m.host, m.plan, m.door = h, p, d
	m.accept = make(chan *session.Session, p.acceptBuffer)
	m.done = make(chan struct{})
	m.places.limit = p.maxSessions
	m.leave = m.places.exit
}

// Why connections are refused, beside a failed handshake and Authorize's errors.
var (
	errMaxSessions = errors.New("netasync: MaxSessions reached")
	errAcceptFull  = errors.New("netasync: AcceptChan is full")
	errEnded       = errors.New("netasync: no connections are accepted any more")
	errUnwanted    = errors.New("netasync: the session was closed before its connection began")
	errReset       = errors.New("netasync: the peer has reset the connection already")
)

// failure marks an error as one of ours: it is logged as a warning.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// arrival is a connection on its way to becoming a session. One goroutine at a time has it.
type arrival struct {
	*admission
	remote net.Addr
	placed bool // it holds a place; from begin on, that is the session's

	// conn is nil on a Handler's loop, whose callback closes what is refused. There onLoop gives
	// the connection to a session.
	conn   net.Conn
	onLoop func(*session.Session) error
}

// enter takes a place under MaxSessions. It reports false if there was none: the arrival is
// refused.
func (a *arrival) enter() bool {
	a.placed = a.places.enter()
	if !a.placed {
		a.refuse(errMaxSessions)
	}
	return a.placed
}

// refuse is the end of an arrival that does not become a session: it gives the place back, counts,
// tells the log, and closes the connection. It is called once.
func (a *arrival) refuse(err error) {
	if a.placed {
		a.places.exit()
	}
	a.host.figures.refused.Add(1)
	tell := a.host.log.Info
	if errors.As(err, new(failure)) {
		tell = a.host.log.Warn
	}
	tell("netasync: connection refused", "remote", a.remote, "error", err)
	if a.conn != nil {
		closeSoon(a.conn)
	}
}

// examines reports whether there is a step 2 or 3.
func (p *plan) examines() bool { return p.tls != nil || p.authorize != nil }

// examine does steps 2 to 5 in a goroutine of its own, which its starter waits for.
func (a *arrival) examine() {
	t := tie(a.conn, a.done)
	err := a.handshake()
	if err == nil && !a.takeSlot() {
		err = errEnded
	} else if err == nil {
		defer a.freeSlot()
		err = a.authorize()
	}
	if !t.untie() {
		err = errEnded
	}
	if err != nil {
		a.refuse(err)
		return
	}
	a.admit()
}

// handshake does that of TLS, if there is to be one.
func (a *arrival) handshake() error {
	if a.plan.tls == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	t := tls.Server(a.conn, a.plan.tls)
	a.conn = t
	return t.HandshakeContext(ctx)
}

// authorize asks Authorize, if there is one.
func (a *arrival) authorize() error {
	if a.plan.authorize == nil {
		return nil
	}
	return a.plan.authorize(a.conn)
}

// takeSlot waits for a slot. It reports false if the door's owner has ended meanwhile.
func (m *admission) takeSlot() bool {
	if m.slots == nil {
		return true
	}
	select {
	case m.slots <- struct{}{}:
		return true
	case <-m.done:
		return false
	}
}

// freeSlot gives a slot back.
func (m *admission) freeSlot() {
	if m.slots != nil {
		<-m.slots
	}
}

// admit does steps 4 and 5. It reports false if the arrival was refused there.
func (a *arrival) admit() bool {
	err := a.door.admit(a)
	if err != nil {
		a.refuse(err)
	}
	return err == nil
}

// begin makes the session and starts its connection. It is for the door.
func (a *arrival) begin() (*session.Session, error) {
	s := a.host.sessions.Add(a.newSession)
	if s == nil {
		return nil, session.ErrShutdown
	}
	a.placed = false // the session gives the place back when it closes
	if err := a.serve(s); err != nil {
		s.CloseNow(err)
		return nil, err
	}
	a.host.figures.accepted.Add(1)
	return s, nil
}

// newSession makes the session, which has the arrival's place.
func (a *arrival) newSession(id uint64) *session.Session {
	s := session.New(id, &a.plan.Config, a.remote)
	session.Drive(s).OnClosed(a.leave)
	return s
}

// serve gives the connection to the session.
func (a *arrival) serve(s *session.Session) error {
	if a.onLoop != nil {
		return a.onLoop(s)
	}
	taken, err := a.host.serve(s, a.conn)
	if err != nil {
		return failure{err}
	}
	if !taken {
		return errUnwanted
	}
	return nil
}

// tether closes a connection that is not a session yet when the door's owner ends.
type tether struct {
	conn   net.Conn
	done   <-chan struct{} // closed by the door's owner
	untied chan struct{}   // closed by untie
	ended  chan struct{}   // closed by watch
	cut    bool            // watch has closed conn; to be read after ended
}

// tie returns a tether that holds until untie.
func tie(conn net.Conn, done <-chan struct{}) *tether {
	t := &tether{conn: conn, done: done, untied: make(chan struct{}), ended: make(chan struct{})}
	go t.watch()
	return t
}

// watch waits for the first of the two ends. Untie waits for it.
func (t *tether) watch() {
	defer close(t.ended)
	select {
	case <-t.done:
		t.cut = true
		closeSoon(t.conn)
	case <-t.untied:
	}
}

// untie reports false if the connection was closed.
func (t *tether) untie() bool {
	close(t.untied)
	<-t.ended
	return !t.cut
}

// gauge counts what is open, up to a limit; 0 is none.
type gauge struct {
	limit int
	mu    sync.Mutex // guards n; a leaf
	n     int
}

// enter counts one more. It reports false at the limit.
func (g *gauge) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.limit > 0 && g.n >= g.limit {
		return false
	}
	g.n++
	return true
}

// exit counts one less.
func (g *gauge) exit() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n--
}
