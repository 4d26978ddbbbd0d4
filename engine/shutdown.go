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

// abortGrace is how long a shutdown whose context has ended waits for what it has cut off: only a
// callback that does not return takes that long.
const abortGrace = time.Second

// UnsentError says how many messages were never sent when an engine shut down, and with Resume, how many
// were not acknowledged. Those that were handed back, see WhileDown, do not count.
type UnsentError struct {
	Messages int // of all sessions
}

// Error tells how many.
func (e *UnsentError) Error() string {
	return fmt.Sprintf("netasync: %d messages were not sent", e.Messages)
}

// Shutdown ends the engine: no new sessions, and every session closes gracefully, all at once,
// within ctx and its Linger. It must not be called from a callback. A session that holds messages
// and has no connection goes on dialing for that long. When Shutdown returns, every session has its
// Closed event, and no goroutine, descriptor or port of the engine is left. Events that ReadChan
// had no room for are still brought when it is read.
//
// The error joins ctx's, if that ended first, and an *UnsentError. A callback, Resolve,
// Authorize or Identify that does not return makes it take up to a second longer than ctx, and then
// goes on running.
// Further calls return ErrShutdown at once, also while the first is under way.
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
	grace, cancel := withGrace(ctx)
	defer cancel()
	err := e.host.closeSessions(ctx, grace, e.cancel)
	stopped := e.host.loops.stop(grace)
	if errors.Is(err, stopped) {
		return err // that something is stuck is said once
	}
	return errors.Join(err, stopped)
}

// withGrace returns a context that ends abortGrace after ctx.
func withGrace(ctx context.Context) (context.Context, context.CancelFunc) {
	grace, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(abortGrace, cancel) })
	return grace, func() { stop(); cancel() }
}

// errStuck says that something of the user's has not returned in time.
var errStuck = errors.New("netasync: a callback, Resolve, Authorize or Identify has not returned")

// closeSessions closes all sessions and waits for them and their work, until grace ends. It calls
// stopDialing when no session wants a connection any more.
func (h *host) closeSessions(ctx, grace context.Context, stopDialing func()) error {
	begin := time.Now()
	open, idle := h.sessions.Close()
	for _, s := range open {
		_ = s.Close()
	}
	cut := false
	select {
	case <-idle:
	case <-ctx.Done():
		cut = true
		for _, s := range open {
			s.CloseNow(session.ErrShutdown)
		}
		await(grace, idle) // a session that is being written to ends when that write has returned
	}
	stopDialing()
	worked := make(chan struct{})
	go h.awaitWork(worked)
	var errs []error
	if !await(grace, worked) {
		cut = true
		errs = append(errs, errStuck)
	}
	h.ticks.Stop()
	h.releasePool(grace)
	unsent := 0
	for _, s := range open {
		unsent += session.Drive(s).Unsent()
	}
	if unsent > 0 {
		errs = append(errs, &UnsentError{unsent})
	}
	if cut {
		errs = append(errs, ctx.Err())
	}
	err := errors.Join(errs...)
	h.tellDrained(len(open), unsent, time.Since(begin), err)
	return err
}

// awaitWork closes worked when all work is done.
func (h *host) awaitWork(worked chan<- struct{}) {
	h.work.Wait()
	close(worked)
}

// await reports whether done was closed before ctx ended.
func await(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
