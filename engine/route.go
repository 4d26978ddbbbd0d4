package engine

import (
	"bytes"
	"errors"
	"net"

	"github.com/netasync/netasync/internal/guard"
	"github.com/netasync/netasync/internal/resume"
)

// The doors for sessions that live in one of many engines, see ListenOptions.Route: where a connection
// came to the wrong one, it goes out by Route, and comes in by ServeConn of the right one.

// ConnInfo is what is known of a connection where it was accepted.
type ConnInfo struct {
	Remote   net.Addr // the peer's address
	Identity string   // who the peer is: what Identify has returned, or else its certificate's subject
	Secure   bool     // the peer speaks TLS
}

// routeFunc is the type of ListenOptions.Route.
type routeFunc = func(token []byte, conn net.Conn, hello []byte, info ConnInfo) bool

// errRouted is the end of an arrival that Route has taken.
var errRouted = errors.New("netasync: the connection was taken by Route")

// routed asks Route, if it is to be asked, and reports whether the connection is no longer ours.
func (a *arrival) routed(h *resume.Hello) bool {
	if a.plan.route == nil || a.info != nil || len(h.Token) == 0 || bytes.HasPrefix(h.Token, a.plan.tokenPrefix) {
		return false
	}
	returned := false
	defer guard.MustReturn("Route", &returned)
	info := ConnInfo{Remote: a.remote, Identity: ownerOf(a), Secure: a.secure()}
	took := a.plan.route(h.Token, a.conn, a.said, info)
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
