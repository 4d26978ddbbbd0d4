package engine

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"

	"github.com/netasync/netasync/internal/guard"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/session"
)

// arrival is a connection on its way to becoming a session. One goroutine at a time has it.
type arrival struct {
	*admission
	remote net.Addr
	placed bool       // it holds a place; that becomes the session's
	from   netip.Addr // what addrs counts it for, if valid; that becomes the session's

	identity string // what Identify has returned

	// These are used with Resume.
	caller netip.Addr    // what callers counts it for, if valid
	owner  string        // who may resume the session
	hello  *resume.Hello // of a session that is to begin
	// reserved is its nonce, of which no other session is to begin meanwhile.
	reserved *resume.Nonce
	fresh    *resumption // of that session
	claim    *claim      // of a session that goes on
	entry    *entry      // of the link
	said     []byte      // what was read of the connection: the Hello

	info *ConnInfo // of a connection that was accepted elsewhere, which knows who the peer is; else nil

	// conn is nil on a Handler's loop, whose callback closes what is refused. There onLoop gives
	// the connection to a session.
	conn   net.Conn
	onLoop func(*session.Session) error
}

// enter lets an arrival in, or refuses it and reports false. That MaxSessions has no room is found
// here, before any work, but no place is taken: who never becomes a session must not hold one.
//
// With Resume it may come for a session that has a place: so there is none to be seen to, and the
// connections of an address that have none yet are counted by themselves.
func (a *arrival) enter() bool {
	gauge, counted := &a.addrs, &a.from
	if a.plan.Resume {
		gauge, counted = &a.callers, &a.caller
	}
	if from := addrOf(a.remote); gauge.limit > 0 && from.IsValid() {
		if !gauge.enter(from) {
			a.refuse(errMaxPerAddr)
			return false
		}
		*counted = from
	}
	if !a.plan.Resume && a.places.full() {
		a.refuse(errMaxSessions)
		return false
	}
	return true
}

// place takes what the session needs: a place under MaxSessions, and with Resume one for its address.
func (a *arrival) place() error {
	if a.placed = a.places.enter(); !a.placed {
		return errMaxSessions
	}
	if a.caller.IsValid() {
		if !a.addrs.enter(a.caller) {
			return errMaxPerAddr
		}
		a.from = a.caller
		a.leaveCallers()
	}
	return nil
}

// leaveCallers says that the arrival is none any more. It may be called again.
func (a *arrival) leaveCallers() {
	if a.caller.IsValid() {
		a.callers.exit(a.caller)
		a.caller = netip.Addr{}
	}
}

// refuse is the end of an arrival that does not become a session: it gives its places back, counts,
// tells the log, and closes the connection. It is called once.
func (a *arrival) refuse(err error) {
	if a.claim != nil {
		a.claim.driver.Unclaim(a.claim.number, err)
	}
	a.leaveCallers()
	if a.placed {
		a.places.exit()
	}
	if a.from.IsValid() {
		a.addrs.exit(a.from)
	}
	reason := reasonOf(err)
	a.host.figures.refused[reason].Add(1)
	a.refused.tell(a, reason, err)
	if a.conn != nil {
		closeSoon(a.conn)
	}
}

// examines reports whether there is a step 2 or 3.
func (p *plan) examines() bool {
	return p.tls != nil || p.authorize != nil || p.identify != nil || p.Resume
}

// examine does steps 2 to 5 in a goroutine of its own, which its starter waits for. It frees the
// arrival's slot, which Authorize and Identify hold for as long as they take: a call cannot be
// abandoned, and those that have not returned must not become more and more.
func (a *arrival) examine() {
	defer a.freeSlot()
	defer a.leaveCallers()
	defer a.begun()
	t := a.tie(a.conn)
	err := a.inspect(t)
	if err == nil {
		err = a.greet(t)
	}
	if cut := t.untie(); cut != nil {
		err = cut
	}
	if err == nil && a.claim == nil {
		a.admit()
		return
	}
	if err == nil {
		err = a.resumed()
	}
	switch {
	case errors.Is(err, errRouted):
		a.host.figures.routed.Add(1)
	case err != nil:
		a.refuse(err)
	}
}

// inspect does steps 2 and 3, guarded: TLS may call functions of the user's, too.
func (a *arrival) inspect(t *tether) (err error) {
	if a.info != nil { // this was done elsewhere
		a.identity = a.info.Identity
		t.shaken.Store(true)
		return nil
	}
	returned := false
	defer guard.MustReturn("Authorize, Identify or TLS", &returned)
	if err = a.handshake(); err == nil {
		t.shaken.Store(true)
		if err = a.authorize(); err == nil {
			err = a.identify(t.ctx)
		}
	}
	returned = true
	return err
}

// handshake does that of TLS, if there is to be one, which may be that of a listener of the user's
// own. The tether ends it.
func (a *arrival) handshake() error {
	if a.plan.tls != nil {
		a.conn = tls.Server(&watched{Conn: a.conn}, a.plan.tls)
	}
	if t, ok := a.conn.(*tls.Conn); ok {
		if err := t.Handshake(); err != nil {
			return because{err, byHandshake}
		}
	}
	return nil
}

// authorize asks Authorize, if there is one.
func (a *arrival) authorize() error {
	if a.plan.authorize == nil {
		return nil
	}
	if err := a.plan.authorize(a.shown()); err != nil {
		return because{err, byAuthorize}
	}
	return nil
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
	if err := a.place(); err != nil {
		a.tellRefused(resume.RefuseFull)
		return nil, err
	}
	s := a.host.sessions.Add(a.newSession)
	if s == nil {
		a.tellRefused(resume.RefuseShutdown)
		return nil, session.ErrShutdown
	}
	a.placed, a.from = false, netip.Addr{} // the session gives them back when it closes
	err := a.welcomeNew()
	if err == nil {
		err = a.serve(s)
	}
	if err != nil {
		if session.Drive(s).Abandon(a.number(), err) {
			return nil, err
		}
		closeSoon(a.conn) // a later connection has the session
	}
	a.host.figures.accepted.Add(1)
	return s, nil
}

// newSession makes the session, which has the arrival's places.
func (a *arrival) newSession(id uint64) *session.Session {
	s := session.New(id, &a.plan.Config, a.remote)
	leave := a.leave
	if m, from := a.admission, a.from; from.IsValid() {
		leave = func() { m.places.exit(); m.addrs.exit(from) }
	}
	session.Drive(s).OnClosed(leave)
	session.Drive(s).Identify(a.identity)
	if a.hello != nil {
		a.makeResumable(session.Drive(s))
	}
	return s
}

// serve gives the connection to the session.
func (a *arrival) serve(s *session.Session) error {
	if a.onLoop != nil {
		return a.onLoop(s)
	}
	if a.info != nil {
		if a.entry == nil {
			a.entry = new(entry)
		}
		a.entry.remote = a.info.Remote
	}
	taken, err := a.host.serve(s, a.conn, a.entry)
	if err != nil {
		return failure{err}
	}
	if !taken {
		return errUnwanted
	}
	return nil
}
