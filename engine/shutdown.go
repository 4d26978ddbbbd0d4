package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/netasync/netasync/session"
)

// abortGrace is how long a shutdown whose context has ended waits for what it
// has cut off: only a callback that does not return takes that long.
const abortGrace = time.Second

// UnsentError says how many messages were never sent when an engine shut down.
type UnsentError struct{ Messages int }

func (e *UnsentError) Error() string {
	return fmt.Sprintf("netasync: %d messages were not sent", e.Messages)
}

// Shutdown ends the engine: no new sessions, and every session closes
// gracefully, all at once, within ctx and its Linger. When it returns,
// every session has its Closed event, and no goroutine, descriptor or port of the
// engine is left. The error joins ctx's, if that ended first, and an
// *UnsentError. Further calls return ErrShutdown. It must not be called from a callback.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return session.ErrShutdown
	}
	e.closed = true
	listeners := slices.Collect(maps.Keys(e.listeners))
	e.mu.Unlock()
	for _, l := range listeners {
		_ = l.Close()
	}
	err := e.closeSessions(ctx, e.cancel)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortGrace)
	defer cancel()
	return errors.Join(err, e.loops.stop(grace))
}

// closeSessions closes all sessions and waits for them and their work.
// stopDialing is called when no session wants a connection any more.
func (h *host) closeSessions(ctx context.Context, stopDialing func()) error {
	open, idle := h.sessions.Close()
	for _, s := range open {
		_ = s.Close()
	}
	stopDialing()
	cut := false
	select {
	case <-idle:
	case <-ctx.Done():
		cut = true
		for _, s := range open {
			s.Abort(session.ErrShutdown)
		}
		select { // who is writing at the moment ends its session when it has returned
		case <-idle:
		case <-time.After(abortGrace):
		}
	}
	errs := []error{h.awaitWork(ctx)}
	h.ticks.Stop()
	errs = append(errs, h.releasePool(abortGrace))
	unsent := 0
	for _, s := range open {
		unsent += s.Undelivered()
	}
	if unsent > 0 {
		errs = append(errs, &UnsentError{unsent})
	}
	if cut {
		errs = append(errs, ctx.Err())
	}
	return errors.Join(errs...)
}

// awaitWork waits for links, goroutines and callbacks to end.
func (h *host) awaitWork(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		h.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-done:
		return nil
	case <-time.After(abortGrace):
		return fmt.Errorf("netasync: a callback has not returned: %w", ctx.Err())
	}
}
