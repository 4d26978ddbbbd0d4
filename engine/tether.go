package engine

import (
	"net"
	"sync/atomic"
	"time"
)

// haste is the part of HandshakeTimeout that a TLS handshake may take while others wait.
const haste = 4

// tether closes a connection that is not a session yet when its time is over, or when the door's
// owner ends.
type tether struct {
	m      *admission
	conn   net.Conn
	shaken atomic.Bool   // the handshake is over
	untied chan struct{} // closed by untie
	ended  chan struct{} // closed by watch
	cut    error         // why watch has closed conn, if it has; to be read after ended
}

// tie returns a tether that holds until untie.
func (m *admission) tie(conn net.Conn) *tether {
	t := &tether{m: m, conn: conn, untied: make(chan struct{}), ended: make(chan struct{})}
	go t.watch()
	return t
}

// watch waits for the first of the ends. Untie waits for it.
func (t *tether) watch() {
	defer close(t.ended)
	limit := t.m.plan.handshakeTimeout
	begin := time.Now()
	look := time.NewTicker(max(limit/haste, 1))
	defer look.Stop()
	for t.cut == nil {
		select {
		case <-t.m.done:
			t.cut = errEnded
		case <-look.C:
			t.cut = t.due(time.Since(begin) >= limit)
		case <-t.untied:
			return
		}
	}
	closeSoon(t.conn)
}

// due returns why the connection is to be closed now, or nil. Cutting off Authorize makes no room.
func (t *tether) due(late bool) error {
	if late {
		return errTooSlow
	}
	if m := t.m; !t.shaken.Load() && len(m.slots) == cap(m.slots) {
		return errMaxPending
	}
	return nil
}

// untie returns why the connection was closed, or nil if it was not.
func (t *tether) untie() error {
	close(t.untied)
	<-t.ended
	return t.cut
}
