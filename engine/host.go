package engine

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/ants/v2"

	"github.com/netasync/netasync/internal/guard"
	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

// host is what sessions live in: an Engine's or a Handler's common part. Its exported methods are
// for sessions.
type host struct {
	log      *slog.Logger
	loops    *loops // an Engine's
	sessions session.Registry
	history  session.History
	ticks    reconnect.Ticks
	hold     holdTime
	assembly *session.Assembly

	resumptions resumptions

	// enroll hands a connection to a loop, see loops.enroll; nil if that cannot be. Tests replace it.
	enroll func(conn net.Conn, l *link) error

	// work counts goroutines, callbacks and links. It can only grow while a session, a listener or
	// a dial is alive, and those are closed before the wait for it.
	work sync.WaitGroup

	poolMu sync.Mutex                                // guards pool
	pool   *ants.PoolWithFuncGeneric[session.Driver] // made for the first callback

	figures figures
}

var _ session.Host = (*host)(nil)

// figures are counted where they happen.
type figures struct {
	accepted, left, returned, routed atomic.Uint64
	refused                          [refusals]atomic.Uint64
}

// goTracked runs f in a goroutine that a shutdown waits for.
func (h *host) goTracked(f func()) { h.work.Go(f) }

// Dispatch runs a session's callbacks on the pool. The pool has no bound, so that this never blocks
// an event loop: there is at most one runner for each session.
func (h *host) Dispatch(d session.Driver) {
	h.work.Add(1)
	if pool := h.callbackPool(); pool == nil || pool.Invoke(d) != nil {
		go h.runCallbacks(d)
	}
}

func (h *host) runCallbacks(d session.Driver) {
	defer h.work.Done()
	returned := false
	defer guard.MustReturn("OnEvent", &returned)
	d.RunCallbacks()
	returned = true
}

func (h *host) callbackPool() *ants.PoolWithFuncGeneric[session.Driver] {
	h.poolMu.Lock()
	defer h.poolMu.Unlock()
	if h.pool == nil {
		h.pool, _ = ants.NewPoolWithFuncGeneric(-1, h.runCallbacks)
	}
	return h.pool
}

// Tick arranges for a connection to be looked after.
func (h *host) Tick(c *session.Conn, at time.Time) session.Ticker { return h.ticks.Add(c, at) }

// Forget drops a session that has closed.
func (h *host) Forget(d session.Driver) { h.sessions.Remove(d.Session()) }

// releasePool ends the pool's goroutines, and waits for that until ctx ends.
func (h *host) releasePool(ctx context.Context) {
	h.poolMu.Lock()
	defer h.poolMu.Unlock()
	if h.pool != nil {
		_ = h.pool.ReleaseContext(ctx)
	}
}
