package engine

import (
	"context"
	"net"
)

// identify asks Identify, if there is one, and if there is time left.
func (a *arrival) identify(ctx context.Context) (err error) {
	if a.plan.identify == nil {
		return nil
	}
	if err = ctx.Err(); err != nil {
		return err
	}
	if a.identity, err = a.plan.identify(ctx, a.shown()); err != nil {
		return because{err, byIdentify}
	}
	return nil
}

// shown returns the connection as Authorize and Identify get it. What was read of it before matters
// to them no more than what will be: so they find a *net.TCPConn or a *net.UnixConn.
func (a *arrival) shown() net.Conn {
	if p, ok := a.conn.(*prefixed); ok {
		return p.Conn
	}
	return a.conn
}
