package engine

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync/session"
)

// Why a listener, or a handler, takes no connections at the moment, see Health.
var (
	// ErrAcceptFull is that AcceptChan is full. For Health it has been so for a second: nobody takes
	// sessions from it.
	ErrAcceptFull = errors.New("netasync: AcceptChan is full")
	// ErrAcceptPaused is that accepting has failed, as without descriptors, and is tried again.
	ErrAcceptPaused = errors.New("netasync: accepting pauses")
)

// Health returns why the engine takes no connections at the moment, or nil. The error joins those of
// its listeners, which wrap ErrAcceptFull or ErrAcceptPaused and name the listener; it is ErrShutdown
// from the beginning of Shutdown on. Dialed sessions that have no connection do not count: their peers
// are the ones that are not well. Nor do the bounds that a user has set, such as MaxSessions and
// MaxPending: see Stats.RefusedBy.
func (e *Engine) Health() error {
	e.mu.Lock()
	closed, listeners := e.closed, slices.Collect(maps.Keys(e.listeners))
	e.mu.Unlock()
	if closed {
		return session.ErrShutdown
	}
	slices.SortFunc(listeners, func(a, b *Listener) int { return cmp.Compare(a.plan.Name, b.plan.Name) })
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.health(), l.pauses.health(l.plan.Name))
	}
	return errors.Join(errs...)
}

// Health returns why the handler takes no connections at the moment, or nil: an error that wraps
// ErrAcceptFull, and ErrShutdown from the end of the handler, or of its gnet engine, on.
func (h *Handler) Health() error {
	h.mu.Lock()
	closed := h.closed
	h.mu.Unlock()
	if closed {
		return session.ErrShutdown
	}
	return h.health()
}

// acceptPatience is how long AcceptChan may be full before that is a fault: in a burst it is for a
// moment, and as its user takes sessions, others are sent.
const acceptPatience = time.Second

// offered notes that a session was sent to AcceptChan.
func (m *admission) offered() { m.lastOffer.Store(int64(time.Since(m.plan.Start))) }

// health returns whether sessions find room in AcceptChan.
func (m *admission) health() error {
	if m.plan.OnEvent != nil || len(m.accept) < cap(m.accept) {
		return nil
	}
	if time.Since(m.plan.Start)-time.Duration(m.lastOffer.Load()) >= acceptPatience {
		return fmt.Errorf("%w: %s", ErrAcceptFull, session.Quoted(m.plan.Name))
	}
	return nil
}

// pauses are the goroutines of a listener that wait since accepting has failed.
type pauses struct {
	waiting atomic.Int32
	last    atomic.Pointer[error]
}

// begin begins to wait after an error. The caller ends it by end.
func (p *pauses) begin(err error) {
	p.last.Store(&err)
	p.waiting.Add(1)
}

func (p *pauses) end() { p.waiting.Add(-1) }

// health returns whether a listener accepts.
func (p *pauses) health(name string) error {
	if p.waiting.Load() == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrAcceptPaused, session.Quoted(name), *p.last.Load())
}
