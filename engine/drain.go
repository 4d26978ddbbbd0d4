package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// Intervals at which a drain asks its loop whether gnet has sent everything: gnet does not tell.
const (
	drainPollMin = time.Millisecond
	drainPollMax = 20 * time.Millisecond
)

// minDrainBytes is the least that a peer may send while it has not taken everything: one read of
// gnet's.
const minDrainBytes = 64 << 10

// Why a drain refuses a connection.
var (
	errDrainStuck = error(because{errors.New("netasync: the peer does not take what was written before"), byUndrained})
	errDrainFull  = error(because{errors.New("netasync: the peer sends, but does not take what was written before"), byUndrained})
)

// drain is a Handler's connection that is not let in yet: the user's gnet handler has written to
// it, and gnet still holds a part of that. A link writes to the descriptor itself, which would
// overtake it, and leaving the loop would cut it off. What the peer sends meanwhile stays in gnet's
// buffer.
//
// All happens on the connection's loop, except ask.
type drain struct {
	h     *Handler
	c     gnet.Conn
	loop  gnet.EventLoop
	held  int           // what gnet held when it was asked last
	since time.Time     // when that last became less
	pause time.Duration // until it is asked again

	mu    sync.Mutex // guards all below, and use of loop by ask; a leaf
	over  bool
	timer *time.Timer
}

var _ guest = (*drain)(nil)

// drain lets a connection in when gnet holds nothing of it any more.
func (h *Handler) drain(c gnet.Conn) {
	d := &drain{
		h: h, c: c, loop: c.EventLoop(),
		held: c.OutboundBuffered(), since: time.Now(), pause: drainPollMin,
	}
	h.conns.Store(c, d)
	d.askLater()
}

// askLater arranges for ask.
func (d *drain) askLater() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timer = time.AfterFunc(d.pause, d.ask)
	d.pause = min(2*d.pause, drainPollMax)
}

// ask has the loop call Run. A loop must not be used after it has closed the connection, for which
// mu stands.
func (d *drain) ask() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.over {
		_ = d.loop.Execute(context.Background(), d) // fails when gnet ends, which closes the connection
	}
}

// finish reports whether it is the first to end the drain.
func (d *drain) finish() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return false
	}
	d.over = true
	d.timer.Stop()
	d.h.conns.Delete(d.c)
	return true
}

// Run looks how far gnet has come, and lets the connection in when it has sent everything.
func (d *drain) Run(context.Context) error {
	if !d.h.is(d.c, d) {
		return nil
	}
	_ = d.c.Flush() // gnet does not send by itself what came by ReadFrom
	if !d.h.is(d.c, d) {
		return nil // that has found the connection broken
	}
	err := d.progress(time.Now())
	if err == nil && d.held > 0 {
		d.askLater()
		return nil
	}
	d.finish()
	if d.letIn(err) == gnet.Close {
		return d.loop.Close(d.c)
	}
	return nil
}

// progress notes what gnet still holds. An error refuses the connection.
func (d *drain) progress(now time.Time) error {
	if held := d.c.OutboundBuffered(); held < d.held {
		d.held, d.since = held, now
	}
	select {
	case <-d.h.done:
		return errEnded
	default:
	}
	if d.held > 0 && now.Sub(d.since) >= d.h.plan.HeartbeatTimeout {
		return errDrainStuck
	}
	return nil
}

// letIn does what OnOpen and OnTraffic would have done.
func (d *drain) letIn(err error) gnet.Action {
	if err != nil {
		d.refuse(err)
		return gnet.Close
	}
	if d.c.InboundBuffered() > 0 {
		return d.h.OnTraffic(d.c)
	}
	_, action := d.h.OnOpen(d.c)
	return action
}

// refuse counts the connection as refused.
func (d *drain) refuse(err error) {
	a := &arrival{admission: &d.h.admission, remote: cloneAddr(d.c.RemoteAddr())}
	a.refuse(err)
}

// traffic leaves with gnet what has arrived, up to what may wait for a session's user.
func (d *drain) traffic(c gnet.Conn) gnet.Action {
	if c.InboundBuffered() <= max(d.h.plan.ReadBuffer.Bytes, minDrainBytes) {
		return gnet.None
	}
	d.finish()
	d.refuse(errDrainFull)
	return gnet.Close
}

// lost ends the drain with the connection. It was no session's, so nobody is told.
func (d *drain) lost(gnet.Conn, error) { d.finish() }

// on reports that the connection is on its loop.
func (d *drain) on(gnet.Conn) bool { return true }
