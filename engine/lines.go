package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

// What the engine tells a logger. What a session tells is the session's.

// Names of sessions whose options have none.
const (
	dialedName  = "dialed"
	handlerName = "handler"
)

// equip gives a plan what is not among the options of its sessions.
func (h *host) equip(p *plan, name string, log *slog.Logger) {
	p.Name, p.Group, p.History = name, h.sessions.Group(name), &h.history
	if log.Handler() != slog.DiscardHandler { // else the sessions keep nothing to tell
		p.Log = log
	}
}

// tellFailure returns what tells of failed attempts to connect a session.
func (h *host) tellFailure(s *session.Session) reconnect.Tell {
	return func(failures int, err error, news bool) {
		ctx, level := context.Background(), slog.LevelDebug
		if news {
			level = slog.LevelInfo
		}
		if h.log.Enabled(ctx, level) {
			h.log.LogAttrs(ctx, level, "netasync: connecting failed", slog.Uint64("session", s.ID()),
				slog.String("name", session.Quoted(s.Name())),
				slog.String("remote", session.Quoted(s.RemoteAddr().String())),
				slog.Uint64("epoch", s.Stats().Epoch),
				slog.Any("error", session.QuotedError(err)), slog.Int("attempts", failures))
		}
	}
}

// tellDrained tells how the sessions of an engine or a handler were ended.
func (h *host) tellDrained(sessions, unsent int, took time.Duration, err error) {
	ctx, level := context.Background(), slog.LevelInfo
	if err != nil {
		level = slog.LevelWarn
	}
	if !h.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.Int("sessions", sessions), slog.Duration("took", took)}
	if err != nil {
		attrs = append(attrs, slog.Int("unsent", unsent), slog.Any("error", session.QuotedError(err)))
	}
	h.log.LogAttrs(ctx, level, "netasync: drained", attrs...)
}

// refusalPause is how far apart lines about refusals for the same reason are at least.
const refusalPause = time.Second

// refusalLog tells of refused connections: of each reason the first at once, and then one line a
// second at most, with the number of those that were not told. A flood of connections must not
// become one of lines. Without further refusals a timer tells the number, or end does.
//
// Connections are refused on event loops, which may be the user's own, and where they are accepted.
// So a goroutine tells each line: a handler that blocks holds up nothing but further lines for the
// same reason.
type refusalLog struct {
	log  *slog.Logger
	name string

	work sync.WaitGroup // timers that run, and whoever tells

	mu    sync.Mutex // guards all below; a leaf
	by    [refusals]hushed
	ended bool // nothing is told any more, but by end
}

// hushed are the refusals for one reason.
type hushed struct {
	told       time.Time   // when there was a line last
	level      slog.Level  // of that line
	telling    bool        // it has not returned yet
	suppressed int         // since then
	worst      slog.Level  // of those
	timer      *time.Timer // tells them; nil if there are none
}

// tell tells of one, or counts it. It does not block.
func (r *refusalLog) tell(a *arrival, reason refusal, err error) {
	if r.log.Handler() == slog.DiscardHandler {
		return
	}
	level := refusalLevel(err)
	suppressed, now := r.hush(reason, level)
	if !now {
		return
	}
	attrs := []slog.Attr{
		slog.String("name", session.Quoted(r.name)), slog.String("reason", reason.String()),
		slog.String("remote", remoteText(a)), slog.Any("error", session.QuotedError(err)),
	}
	go func() {
		defer r.work.Done()
		r.line(reason, level, suppressed, attrs)
	}()
}

// hush reports whether a refusal is to be told now, by work that is counted, and with how many that
// were not. A warning does not wait behind a line that is none.
func (r *refusalLog) hush(reason refusal, level slog.Level) (suppressed int, now bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return 0, false
	}
	h := &r.by[reason]
	due := h.told.IsZero() || time.Since(h.told) >= refusalPause || level > h.level
	if due && !h.telling {
		r.work.Add(1)
		return h.take(level, &r.work), true
	}
	if h.suppressed++; h.suppressed == 1 || level > h.worst {
		h.worst = level
	}
	r.tellLater(reason)
	return 0, false
}

// tellLater starts a timer for those that were not told, if there is need for one. The caller holds
// mu.
func (r *refusalLog) tellLater(reason refusal) {
	h := &r.by[reason]
	if h.suppressed == 0 || h.timer != nil || h.telling || r.ended {
		return
	}
	r.work.Add(1)
	h.timer = time.AfterFunc(refusalPause-time.Since(h.told), func() {
		defer r.work.Done()
		r.tellHushed(reason)
	})
}

// take begins a line, and returns the number of those that were not told, which are now. The caller
// holds mu.
func (h *hushed) take(level slog.Level, timers *sync.WaitGroup) (suppressed int) {
	h.told, h.level, h.telling = time.Now(), level, true
	suppressed, h.suppressed = h.suppressed, 0
	h.stop(timers)
	return suppressed
}

// stop stops the timer, if there is one. The caller holds mu.
func (h *hushed) stop(timers *sync.WaitGroup) {
	if h.timer != nil && h.timer.Stop() {
		timers.Done()
	}
	h.timer = nil
}

// tellHushed tells the number of those that were not told.
func (r *refusalLog) tellHushed(reason refusal) {
	r.mu.Lock()
	h := &r.by[reason]
	if h.suppressed == 0 || h.telling {
		r.mu.Unlock()
		return
	}
	level := h.worst
	suppressed := h.take(level, &r.work)
	r.mu.Unlock()
	r.line(reason, level, suppressed, []slog.Attr{
		slog.String("name", session.Quoted(r.name)), slog.String("reason", reason.String()),
	})
}

// end tells what was not told. When it returns nothing is being told, and nothing will.
func (r *refusalLog) end() {
	r.mu.Lock()
	r.ended = true
	for reason := range refusals {
		r.by[reason].stop(&r.work)
	}
	r.mu.Unlock()
	r.work.Wait()
	for reason := range refusals {
		r.tellHushed(reason)
	}
}

// line tells a line that take has begun.
func (r *refusalLog) line(reason refusal, level slog.Level, suppressed int, attrs []slog.Attr) {
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	r.log.LogAttrs(context.Background(), level, "netasync: connection refused", attrs...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.by[reason].telling = false
	r.tellLater(reason)
}
