package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/netasync/netasync/session"
)

// Handler makes sessions of the connections of a gnet engine that is the user's: pass it to
// gnet.Run, or call its methods from a gnet.EventHandler of your own for those connections that are
// message channels. It may be given a connection late: OnTraffic opens one that it has not seen
// before. It ignores connections in OnClose that are not its own, and leaves gnet's contexts alone.
// It is safe for concurrent use.
//
// What the user's handler has written to a connection before, by gnet's Write, goes first: until
// gnet has sent all of it there is no session yet, and what the peer sends waits. It may be as much
// as ReadBuffer.Bytes; a peer that sends more, or takes nothing for HeartbeatTimeout, is refused.
// From then on the connection is the session's: neither write to it nor return bytes from OnOpen.
// What was given to gnet's AsyncWrite counts as written when that has called back.
//
// gnet ends a server that finds no descriptor for a connection: all its sessions end, and gnet.Run
// returns nil. Keep MaxSessions, with all else that the server accepts, well below the limit of the
// process; examples/embed does so. A Listener survives that, and accepts again later.
//
// A session whose user is slower than its peer leaves the event loop, which the user's handler sees
// as OnClose, and is served by a goroutine from then on. So are, from the beginning, those with TLS,
// Authorize, Identify or Resume.
//
// Its sessions' unfinished messages may take 256 MiB, the default of EngineOptions.AssemblyBudget.
type Handler struct {
	host host
	admission
	conns sync.Map // gnet.Conn → guest

	mu     sync.Mutex // guards all below, and the sends to accept before its close
	closed bool
	kept   int // slots of accept for sessions that begin
}

// guest is what a Handler's connection is to it: a drain first, if need be, and then a link.
type guest interface {
	traffic(c gnet.Conn) gnet.Action
	lost(c gnet.Conn, err error)
	on(c gnet.Conn) bool
}

var (
	_ guest             = (*link)(nil)
	_ gnet.EventHandler = (*Handler)(nil)
	_ door              = (*Handler)(nil)
)

// NewHandler returns a handler. Errors are those of bad options, and name the field; on Windows it
// is always errors.ErrUnsupported. A gnet server must not run out of descriptors, see [Handler]: set
// MaxSessions.
func NewHandler(o ListenOptions) (*Handler, error) {
	if !loopsSupported {
		return nil, fmt.Errorf("netasync: a handler on this system: %w", errors.ErrUnsupported)
	}
	h := &Handler{}
	h.host.assembly = session.NewAssembly(DefaultAssemblyBudget, h.host.goTracked)
	p, err := o.resolve(&h.host)
	if err != nil {
		return nil, err
	}
	h.host.log = cmp.Or(p.log, slog.New(slog.DiscardHandler))
	h.host.equip(p, cmp.Or(o.Name, handlerName), h.host.log)
	h.open(&h.host, p, h)
	return h, nil
}

// AcceptChan returns the channel of accepted sessions. It is closed when the handler or the gnet
// engine shuts down. While it is full, further connections are refused: gnet cannot pause
// accepting. With OnEvent nothing is sent to it.
func (h *Handler) AcceptChan() <-chan *session.Session { return h.accept }

// Sessions returns the handler's sessions that have not closed, in no order.
func (h *Handler) Sessions() iter.Seq[*session.Session] { return h.host.sessions.All() }

// Totals returns the sums over the handler's sessions, of those that have closed, too, by their name.
func (h *Handler) Totals() iter.Seq2[string, session.Totals] { return h.host.sessions.Totals() }

// History returns what happened lately to the handler's sessions.
func (h *Handler) History() *session.History { return &h.host.history }

// Stats returns the handler's figures.
func (h *Handler) Stats() Stats { return h.host.stats() }

// OnBoot does nothing.
func (h *Handler) OnBoot(gnet.Engine) gnet.Action { return gnet.None }

// OnTick asks gnet not to call it often: there is nothing to do.
func (h *Handler) OnTick() (time.Duration, gnet.Action) { return time.Hour, gnet.None }

// OnShutdown ends the handler with the gnet engine. To flush what is queued, call Shutdown before
// the engine is stopped.
func (h *Handler) OnShutdown(gnet.Engine) {
	if h.stopAccepting() { // else Shutdown does it, or has done it
		go h.endBehindGnet()
	}
}

// endBehindGnet closes the sessions while the gnet engine ends. Nothing can wait for it: the engine
// ends the loops, and with them the connections, only after OnShutdown has returned. It takes no
// longer than Linger and abortGrace.
func (h *Handler) endBehindGnet() {
	ctx, cancel := context.WithTimeout(context.Background(), h.plan.Linger)
	defer cancel()
	_ = h.end(ctx)
}

// OnOpen makes a session of the connection.
func (h *Handler) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	_, action := h.adopt(c)
	return nil, action
}

// OnTraffic moves what has arrived into the connection's session.
func (h *Handler) OnTraffic(c gnet.Conn) gnet.Action {
	if g, ok := h.conns.Load(c); ok {
		return h.after(c, g.(guest).traffic(c))
	}
	l, action := h.adopt(c)
	if l == nil || action != gnet.None {
		return action
	}
	return h.after(c, l.traffic(c))
}

// OnClose ends the connection of its session.
func (h *Handler) OnClose(c gnet.Conn, err error) gnet.Action {
	if g, ok := h.conns.LoadAndDelete(c); ok {
		g.(guest).lost(c, err)
	}
	return gnet.None
}

// after lets go of a connection that leaves the loop.
func (h *Handler) after(c gnet.Conn, action gnet.Action) gnet.Action {
	if action == gnet.Close {
		if g, ok := h.conns.Load(c); ok && !g.(guest).on(c) {
			h.conns.Delete(c)
		}
	}
	return action
}

// is reports whether a connection is still what it was.
func (h *Handler) is(c gnet.Conn, g guest) bool {
	now, ok := h.conns.Load(c)
	return ok && now == g
}

// adopt makes a session of a connection, or refuses it. It returns nil if the loop is not to serve
// the connection, or not yet.
func (h *Handler) adopt(c gnet.Conn) (*link, gnet.Action) {
	if c.OutboundBuffered() > 0 {
		h.drain(c)
		return nil, gnet.None
	}
	a := &arrival{admission: &h.admission, remote: c.RemoteAddr()}
	if !a.enter() {
		return nil, gnet.Close
	}
	if h.plan.examines() {
		h.takeOff(a, c)
		return nil, gnet.Close
	}
	var l *link
	a.onLoop = func(s *session.Session) (err error) { l, err = h.serveOnLoop(s, c); return err }
	if !a.admit() {
		return nil, gnet.Close
	}
	l.start(true) // a callback of the user's, which may wait for what mu's holder does
	return l, gnet.None
}

// serveOnLoop gives a session a connection on its loop, up to its first callback.
func (h *Handler) serveOnLoop(s *session.Session, c gnet.Conn) (*link, error) {
	l := newLink(&h.host, s, c.LocalAddr(), c.RemoteAddr())
	h.conns.Store(c, l)
	if !l.begin(c) {
		return nil, errUnwanted // OnClose releases the link
	}
	return l, nil
}

// takeOff moves an arrival off its loop before it is a session: TLS, Authorize, Identify and what
// Resume waits for would block that.
// That takes a slot; there is no waiting for one: gnet cannot pause accepting.
func (h *Handler) takeOff(a *arrival, c gnet.Conn) {
	if !h.tryTakeSlot() {
		a.refuse(errMaxPending)
		return
	}
	conn, err := takeConn(c)
	if err != nil {
		h.freeSlot()
		a.refuse(err)
		return
	}
	a.conn, a.remote = conn, conn.RemoteAddr()
	if !h.goUnlessClosed(a.examine) {
		h.freeSlot()
		a.refuse(errEnded)
	}
}

// goUnlessClosed runs f in a goroutine that a shutdown waits for, or reports false if it might not.
func (h *Handler) goUnlessClosed(f func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.host.goTracked(f)
	}
	return !h.closed
}

// stopAccepting refuses further connections and ends AcceptChan. It reports false if that was done
// before.
func (h *Handler) stopAccepting() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.closed = true
	close(h.done)
	close(h.accept)
	return true
}

// Shutdown ends the handler's sessions as an engine's Shutdown does. The gnet engine stays the
// user's, and so does stopping it, which is to be done after this.
func (h *Handler) Shutdown(ctx context.Context) error {
	if !h.stopAccepting() {
		return session.ErrShutdown
	}
	return h.end(ctx)
}

// end closes the sessions. Nothing is accepted any more.
func (h *Handler) end(ctx context.Context) error {
	grace, cancel := withGrace(ctx)
	defer cancel()
	err := h.host.closeSessions(ctx, grace, func() {})
	told := make(chan struct{})
	go func() { h.refused.end(); close(told) }()
	await(grace, told) // a logger that blocks must not hold this up for longer
	return err
}
