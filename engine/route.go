package engine

import (
	"bytes"
	"errors"
	"net"

	"github.com/netasync/netasync/internal/guard"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/session"
)

// The doors for sessions that live in one of many engines, see ListenOptions.Route: where a connection
// came to the wrong one, it goes out by Route, and comes in by ServeConn of the right one, or its peer
// is told by Redirect to go there itself.

// ConnInfo is what is known of a connection where it was accepted.
type ConnInfo struct {
	Remote   net.Addr // the peer's address
	Identity string   // who the peer is: what Identify has returned, or else its certificate's subject
	Secure   bool     // the peer speaks TLS
}

// routeFunc is the type of ListenOptions.Route.
type routeFunc = func(token []byte, conn net.Conn, hello []byte, info ConnInfo) bool

// redirectFunc is the type of ListenOptions.Redirect.
type redirectFunc = func(token []byte, info ConnInfo) (addr string)

// errRouted is the end of an arrival that Route has taken, or whose peer goes elsewhere.
var errRouted = errors.New("netasync: the session of the connection is elsewhere")

// foreign reports whether a Hello is for a session of another engine.
func (a *arrival) foreign(h *resume.Hello) bool {
	return a.info == nil && len(h.Token) > 0 && !bytes.HasPrefix(h.Token, a.plan.tokenPrefix)
}

// describe returns what is known of the connection.
func (a *arrival) describe() ConnInfo {
	return ConnInfo{Remote: a.remote, Identity: ownerOf(a), Secure: a.secure()}
}

// redirected asks Redirect, if the peer goes where it is told, and reports whether it was told.
func (a *arrival) redirected(h *resume.Hello) bool {
	if a.plan.redirect == nil || !h.Follows || !a.foreign(h) {
		return false
	}
	addr := a.redirect(h)
	if addr == "" {
		return false
	}
	if err := checkRedirect(addr); err != nil {
		if a.misled.CompareAndSwap(false, true) {
			a.log.Warn("netasync: Redirect returned a bad address", "name", session.Quoted(a.plan.Name), "error", err)
		}
		return false
	}
	r := resume.Refuse{Code: resume.RefuseGoTo, Text: addr}
	_ = a.say(r.Append(nil)) // if it does not get there, the peer comes again
	closeSoon(a.conn)
	return true
}

// redirect asks Redirect, guarded.
func (a *arrival) redirect(h *resume.Hello) (addr string) {
	returned := false
	defer guard.MustReturn("Redirect", &returned)
	addr = a.plan.redirect(h.Token, a.describe())
	returned = true
	return addr
}

// routed asks Route, if it is to be asked, and reports whether the connection is no longer ours.
func (a *arrival) routed(h *resume.Hello) bool {
	if a.plan.route == nil || !a.foreign(h) {
		return false
	}
	returned := false
	defer guard.MustReturn("Route", &returned)
	took := a.plan.route(h.Token, a.conn, a.said, a.describe())
	returned = true
	return took
}

// ServeConn makes a session of a connection that was accepted elsewhere, or resumes one by it, as if
// the listener had accepted it now. Its peer was examined there: TLS, Authorize and Identify are not
// asked, nor is Route, and info is believed, also about TLS: what conn speaks is between the two
// engines. A nil info.Remote stands for the connection's own. It waits while MaxPending is reached, and
// not for the session. The error is net.ErrClosed where the listener has ended; conn is still the
// caller's then.
func (l *Listener) ServeConn(conn net.Conn, info ConnInfo) error {
	if info.Remote == nil {
		info.Remote = conn.RemoteAddr()
	}
	info.Remote = cloneAddr(info.Remote)
	if !l.takeSlot() {
		return net.ErrClosed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.freeSlot()
		return net.ErrClosed
	}
	a := &arrival{admission: &l.admission, conn: conn, remote: info.Remote, info: &info}
	if !a.enter() {
		l.freeSlot()
		return nil
	}
	l.busy.Go(a.examine)
	return nil
}
