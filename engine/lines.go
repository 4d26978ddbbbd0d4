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
	p.Name, p.Late = name, h.sessions.Late()
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
type refusalLog struct {
	log  *slog.Logger
	name string

	timers sync.WaitGroup // that run, or are being called

	mu    sync.Mutex // guards all below; a leaf
	by    [refusals]hushed
	ended bool // no timer is started any more
}

// hushed are the refusals for one reason.
type hushed struct {
	told       time.Time   // when there was a line last
	suppressed int         // since then
	timer      *time.Timer // tells them; nil if there are none
}

// tell tells of one, or counts it.
func (r *refusalLog) tell(a *arrival, reason refusal, err error) {
	level := refusalLevel(err)
	if !r.log.Enabled(context.Background(), level) {
		return
	}
	suppressed, now := r.hush(reason)
	if !now {
		return
	}
	attrs := []slog.Attr{
		slog.String("name", session.Quoted(r.name)), slog.String("reason", reason.String()),
		slog.String("remote", remoteText(a)), slog.Any("error", session.QuotedError(err)),
	}
	r.line(level, suppressed, attrs)
}

// hush reports whether a refusal is to be told now, and with how many that were not.
func (r *refusalLog) hush(reason refusal) (suppressed int, now bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := &r.by[reason]
	wait := refusalPause - time.Since(h.told)
	if h.told.IsZero() || wait <= 0 {
		return r.take(h), true
	}
	h.suppressed++
	if h.timer == nil && !r.ended {
		r.timers.Add(1)
		h.timer = time.AfterFunc(wait, func() { defer r.timers.Done(); r.tellHushed(reason) })
	}
	return 0, false
}

// take returns the number of those that were not told, which are now. The caller holds mu.
func (r *refusalLog) take(h *hushed) (suppressed int) {
	suppressed, h.suppressed, h.told = h.suppressed, 0, time.Now()
	if h.timer != nil && h.timer.Stop() {
		r.timers.Done()
	}
	h.timer = nil
	return suppressed
}

// tellHushed tells the number of those that were not told.
func (r *refusalLog) tellHushed(reason refusal) {
	r.mu.Lock()
	h := &r.by[reason]
	suppressed := h.suppressed
	if suppressed > 0 {
		r.take(h)
	}
	r.mu.Unlock()
	if suppressed > 0 {
		r.line(slog.LevelInfo, suppressed, []slog.Attr{
			slog.String("name", session.Quoted(r.name)), slog.String("reason", reason.String()),
		})
	}
}

// end tells what was not told. When it returns no timer runs, and none will.
func (r *refusalLog) end() {
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	for reason := range refusals {
		r.tellHushed(reason)
	}
	r.timers.Wait()
}

func (r *refusalLog) line(level slog.Level, suppressed int, attrs []slog.Attr) {
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	r.log.LogAttrs(context.Background(), level, "netasync: connection refused", attrs...)
}
