package engine

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/ants/v2"

	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

// host is what sessions live in: an Engine's or a Handler's common part. It
// implements session.Host.
type host struct {
	log      *slog.Logger
	loops    *loops // where links may run; nil if connections cannot be enrolled
	sessions session.Registry
	ticks    reconnect.Ticks
	stay     stay
	chans    session.Chans

	// work counts goroutines, callbacks and links. It can only grow while a
	// session, a listener or a dial is alive, and those are closed before anybody waits.
	work sync.WaitGroup

	poolMu sync.Mutex                                  // guards pool
	pool   *ants.PoolWithFuncGeneric[*session.Session] // made for the first callback

	figures figures
}

var _ session.Host = (*host)(nil)

// figures are counted by those who make them happen.
type figures struct{ accepted, refused, left, returned atomic.Uint64 }

// goTracked runs f in a goroutine that a shutdown waits for.
func (h *host) goTracked(f func()) { h.work.Go(f) }

// Chans returns what the sessions' channels have in common.
func (h *host) Chans() *session.Chans { return &h.chans }

// Dispatch runs a session's callbacks on the pool. The pool has no bound, so that
// this never blocks an event loop: there is at most one runner for each session.
func (h *host) Dispatch(s *session.Session) {
	h.work.Add(1)
	if pool := h.callbackPool(); pool == nil || pool.Invoke(s) != nil {
		go h.runCallbacks(s)
	}
}

func (h *host) runCallbacks(s *session.Session) {
	defer h.work.Done()
	s.RunCallbacks()
}

func (h *host) callbackPool() *ants.PoolWithFuncGeneric[*session.Session] {
	h.poolMu.Lock()
	defer h.poolMu.Unlock()
	if h.pool == nil {
		// A panic in a callback is the user's and ends the program, as in any goroutine.
		h.pool, _ = ants.NewPoolWithFuncGeneric(-1, h.runCallbacks, ants.WithPanicHandler(func(v any) { panic(v) }))
	}
	return h.pool
}

// Tick arranges for s to be looked after.
func (h *host) Tick(s *session.Session, at time.Time) { h.ticks.Add(s, at) }

// Forget drops a session that has closed.
func (h *host) Forget(s *session.Session) {
	h.sessions.Remove(s)
	h.ticks.Remove(s)
}

// releasePool ends the pool's goroutines, and waits for that until ctx ends.
func (h *host) releasePool(ctx context.Context) {
	h.poolMu.Lock()
	defer h.poolMu.Unlock()
	if h.pool != nil {
		_ = h.pool.ReleaseContext(ctx)
	}
}

// Stats are figures about an engine or a handler.
type Stats struct {
	Sessions int    // open now
	Accepted uint64 // connections that became sessions
	Refused  uint64 // connections closed by MaxSessions, Authorize, a failed handshake or a full AcceptChan
	Left     uint64 // times a session left its event loop because its user was slow
	Returned uint64 // times one came back
}

func (h *host) stats() Stats {
	return Stats{
		Sessions: h.sessions.Len(),
		Accepted: h.figures.accepted.Load(),
		Refused:  h.figures.refused.Load(),
		Left:     h.figures.left.Load(),
		Returned: h.figures.returned.Load(),
	}
}
