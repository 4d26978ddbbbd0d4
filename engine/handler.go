package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/netasync/netasync/session"
)

// Handler makes sessions of the connections of a gnet engine that is the
// user's: pass it to gnet.Run, or call its methods from a gnet.EventHandler of
// your own for those connections that are message channels. It may be
// given a connection late: OnTraffic opens one that it has not seen before. It
// ignores connections in OnClose that are not its own, and leaves gnet's
// contexts alone. It is safe for concurrent use.
//
// A session whose user is slower than its peer leaves the event loop, which
// the user's handler sees as OnClose, and is served by a goroutine from then
// on. So are, from the beginning, those with TLS or Authorize.
type Handler struct {
	host
	plan *plan
	open gauge

	conns sync.Map // gnet.Conn → *link

	mu     sync.Mutex // guards closed, and the sends to accept before its close
	closed bool
	done   chan struct{} // closed with closed: ends what has not become a session
	accept chan *session.Session
}

var _ gnet.EventHandler = (*Handler)(nil)

// NewHandler returns a handler. Errors are those of bad options, and name the
// field; on Windows it is always errors.ErrUnsupported.
func NewHandler(o ListenOptions) (*Handler, error) {
	if !loopsSupported {
		return nil, fmt.Errorf("netasync: a handler on this system: %w", errors.ErrUnsupported)
	}
	h := &Handler{}
	p, err := o.resolve((*sessionHost)(&h.host))
	if err != nil {
		return nil, err
	}
	h.log = slog.New(slog.DiscardHandler)
	h.plan = p
	h.open.limit = p.maxSessions
	h.accept = make(chan *session.Session, p.acceptBuffer)
	h.done = make(chan struct{})
	return h, nil
}

// AcceptChan returns the channel of accepted sessions. It is closed when the
// handler or the gnet engine shuts down. While it is full, further
// connections are refused: gnet cannot pause accepting. With OnEvent nothing is sent to it.
func (h *Handler) AcceptChan() <-chan *session.Session { return h.accept }

// Stats returns the handler's figures.
func (h *Handler) Stats() Stats { return h.stats() }

// OnBoot does nothing.
func (h *Handler) OnBoot(gnet.Engine) gnet.Action { return gnet.None }

// OnTick asks gnet not to call it often: there is nothing to do.
func (h *Handler) OnTick() (time.Duration, gnet.Action) { return time.Hour, gnet.None }

// OnShutdown ends the handler with the gnet engine. To flush what is queued,
// call Shutdown before the engine is stopped.
func (h *Handler) OnShutdown(gnet.Engine) {
	if !h.stopAccepting() {
		return // Shutdown is at it, or was
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), h.plan.Linger)
		defer cancel()
		_ = h.end(ctx)
	}()
}

// OnOpen makes a session of the connection.
func (h *Handler) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	_, action := h.adopt(c)
	return nil, action
}

// OnTraffic moves what has arrived into the connection's session.
func (h *Handler) OnTraffic(c gnet.Conn) gnet.Action {
	if l, ok := h.conns.Load(c); ok {
		return h.after(c, l.(*link).traffic(c))
	}
	l, action := h.adopt(c)
	if l == nil || action != gnet.None {
		return action
	}
	return h.after(c, l.traffic(c))
}

// OnClose ends the connection of its session.
func (h *Handler) OnClose(c gnet.Conn, err error) gnet.Action {
	if l, ok := h.conns.LoadAndDelete(c); ok {
		l.(*link).lost(c, err)
	}
	return gnet.None
}

// after lets go of a connection that leaves the loop.
func (h *Handler) after(c gnet.Conn, action gnet.Action) gnet.Action {
	if action == gnet.Close {
		if l, ok := h.conns.Load(c); ok && !l.(*link).on(c) {
			h.conns.Delete(c)
		}
	}
	return action
}

// adopt makes a session of a connection, or refuses it.
func (h *Handler) adopt(c gnet.Conn) (*link, gnet.Action) {
	if !h.open.enter() {
		h.figures.refused.Add(1)
		return nil, gnet.Close
	}
	if h.plan.tls != nil || h.plan.authorize != nil {
		return nil, h.takeOff(c)
	}
	l := h.begin(c)
	if l == nil {
		return nil, gnet.Close
	}
	l.recv.Start(true) // a callback of the user's, which may wait for what mu's holder does
	return l, gnet.None
}

// begin makes a session of a connection on its loop, up to its first callback.
func (h *Handler) begin(c gnet.Conn) *link {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.newSession(c.RemoteAddr())
	if s == nil {
		return nil
	}
	l := newLink(&h.host, s, c.LocalAddr(), c.RemoteAddr())
	h.conns.Store(c, l)
	if !l.begin(c) {
		return nil
	}
	h.announce(s)
	return l
}

// newSession makes a session, if there is room for it. The caller holds mu.
func (h *Handler) newSession(remote net.Addr) *session.Session {
	full := h.plan.OnEvent == nil && len(h.accept) == cap(h.accept)
	if h.closed || full {
		h.figures.refused.Add(1)
		h.open.exit()
		return nil
	}
	s := h.sessions.Add(func(id uint64) *session.Session {
		s := session.New(id, &h.plan.Config, nil, remote.Network(), remote.String())
		session.Drive(s).OnClosed(h.open.exit)
		return s
	})
	if s == nil {
		h.open.exit()
	}
	return s
}

// announce offers a session to the user. The caller holds mu, and has seen
// that there is room.
func (h *Handler) announce(s *session.Session) {
	h.figures.accepted.Add(1)
	if h.plan.OnEvent == nil {
		h.accept <- s
	}
}

// takeOff moves a connection off the loop before it is a session: what
// TLS and Authorize do there would block the loop.
func (h *Handler) takeOff(c gnet.Conn) gnet.Action {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed { // nobody would wait for what follows
		h.figures.refused.Add(1)
		h.open.exit()
		return gnet.Close
	}
	conn, err := dupConn(c.Fd())
	if err != nil {
		h.open.exit()
		return gnet.Close
	}
	if conn.RemoteAddr() == nil { // the peer has reset the connection already
		h.figures.refused.Add(1)
		h.open.exit()
		_ = conn.Close()
		return gnet.Close
	}
	early, _ := c.Next(-1)
	conn = withPrefix(conn, append([]byte(nil), early...))
	h.goTracked(func() {
		stop := closeOn(h.done, conn)
		secure, err := h.plan.handshake(conn)
		if err == nil {
			err = h.plan.admits(secure)
		}
		stop()
		if err != nil {
			h.figures.refused.Add(1)
			h.open.exit()
			_ = conn.Close()
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		s := h.newSession(conn.RemoteAddr())
		if s == nil {
			_ = conn.Close()
			return
		}
		l := newLink(&h.host, s, conn.LocalAddr(), conn.RemoteAddr())
		if l.stream(secure) {
			h.announce(s)
		}
	})
	return gnet.Close
}

// stopAccepting refuses further connections and ends AcceptChan.
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

// Shutdown ends the handler's sessions as an engine's Shutdown does. The gnet
// engine stays the user's, and so does stopping it, which is to be done
// after this.
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
	return h.closeSessions(ctx, grace, func() {})
}

// prefixed is a connection of which a part was read before.
type prefixed struct {
	net.Conn
	prefix []byte
}

func withPrefix(conn net.Conn, prefix []byte) net.Conn {
	if len(prefix) == 0 {
		return conn
	}
	return &prefixed{conn, prefix}
}

// NetConn returns the connection below, for its descriptor.
func (p *prefixed) NetConn() net.Conn { return p.Conn }

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.prefix) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.prefix)
	p.prefix = p.prefix[n:]
	return n, nil
}
