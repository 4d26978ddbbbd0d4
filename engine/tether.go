package engine

import (
	"context"
	"errors"
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
	ctx    context.Context // ends with HandshakeTimeout, and when watch does
	cancel func()
	shaken atomic.Bool   // the handshake is over
	untied chan struct{} // closed by untie
	ended  chan struct{} // closed by watch
	cut    error         // why watch has closed conn, if it has; to be read after ended
}

// tie returns a tether that holds until untie.
func (m *admission) tie(conn net.Conn) *tether {
	t := &tether{m: m, conn: conn, untied: make(chan struct{}), ended: make(chan struct{})}
	t.ctx, t.cancel = context.WithTimeout(context.Background(), m.plan.handshakeTimeout)
	go t.watch()
	return t
}

// watch waits for the first of the ends. Untie waits for it.
func (t *tether) watch() {
	defer close(t.ended)
	defer t.cancel()
	look := time.NewTicker(max(t.m.plan.handshakeTimeout/haste, 1))
	defer look.Stop()
	for t.cut == nil {
		select {
		case <-t.m.done:
			t.cut = errEnded
		case <-t.ctx.Done():
			t.cut = errTooSlow
		case <-look.C:
			t.cut = t.crowded()
		case <-t.untied:
			return
		}
	}
	closeSoon(t.conn)
}

// crowded returns an error if the handshake is not over and others wait. Cutting off Authorize or
// Identify makes no room.
func (t *tether) crowded() error {
	if !t.shaken.Load() && t.m.crowded() {
		return errMaxPending
	}
	return nil
}

// untie returns why the connection was closed, or is to be because its time is over; nil if neither.
func (t *tether) untie() error {
	close(t.untied)
	<-t.ended
	if t.cut == nil && errors.Is(t.ctx.Err(), context.DeadlineExceeded) {
		return errTooSlow
	}
	return t.cut
}
