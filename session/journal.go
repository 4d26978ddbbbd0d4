package session

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// journal is what a session has to tell its logger. It exists only where there is one.
//
// A user's handler may block, and may call the session, its engine or whatever it likes. So lines
// are noted under Session.mu, and told by a goroutine, without a lock: neither an event loop nor the
// goroutine of all ticks waits for a handler. That goroutine exists while there are lines, one at a
// time for each session: they come in order. No wake-up is lost, since a line is noted, and the
// goroutine gives up, under the same lock. If it is the last to be done with a session that has closed,
// it has the host forget that: a shutdown waits for it, and so for the last line.
//
// Session.mu guards all fields.
type journal struct {
	lines      []line
	suppressed int  // lines that were left out since the last one: the handler is too slow
	telling    bool // tell is at work

	since    int64  // of the connection or the outage that is
	lost     bool   // an outage was told: a connection ends it
	unproven bool   // so was the last connection: the outage goes on, as far as Info is concerned
	quiet    bool   // the current connection was not told at Info
	attempts uint64 // before since

	droppedOut, droppedIn uint64 // before since
	dropsOut, dropsIn     bool   // that there are any since then was told
}

// line is what is told at once. Fields without a meaning for it are zero.
type line struct {
	level    slog.Level
	text     string
	remote   net.Addr
	epoch    uint64
	err      error
	up, down time.Duration // how long the connection, or the outage, has lasted
	attempts uint64
	queued   int
	unsent   int
	dropped  uint64
	inbound  bool // of a drop
	outbound bool // of a drop

	suppressed int // lines before it
}

// maxLines is how many lines of a session wait for a handler. Then the oldest is left out.
const maxLines = 64

// note adds a line, and has it told. The caller holds mu.
func (s *Session) note(l line) {
	j := s.journal
	l.remote, l.epoch = s.remote, s.epoch
	if len(j.lines) == maxLines {
		j.lines = append(j.lines[:0], j.lines[1:]...)
		j.suppressed++
	}
	j.lines = append(j.lines, l)
	if !j.telling {
		j.telling = true
		go s.tell()
	}
}

// tell tells what was noted, in a goroutine of its own, and ends a session that has closed.
func (s *Session) tell() {
	j := s.journal
	s.mu.Lock()
	for len(j.lines) > 0 {
		lines := j.lines
		lines[0].suppressed = j.suppressed
		j.lines, j.suppressed = nil, 0
		s.mu.Unlock()
		for i := range lines {
			s.tellLine(&lines[i])
		}
		s.mu.Lock()
	}
	j.telling = false
	last := s.hasLeft // nothing is noted any more
	s.mu.Unlock()
	if last {
		s.cfg.Host.Forget(Driver{s})
	}
}

func (s *Session) tellLine(l *line) {
	ctx := context.Background()
	if log := s.cfg.Log; log.Enabled(ctx, l.level) {
		log.LogAttrs(ctx, l.level, l.text, s.attrs(l)...)
	}
}

// attrs are the attributes of a line.
func (s *Session) attrs(l *line) []slog.Attr {
	a := make([]slog.Attr, 0, 10)
	a = append(a, slog.Uint64("session", s.id), slog.String("name", Quoted(s.cfg.Name)),
		slog.String("remote", Quoted(l.remote.String())), slog.Uint64("epoch", l.epoch))
	if l.err != nil {
		a = append(a, slog.Any("error", QuotedError(l.err)))
	}
	if l.up > 0 {
		a = append(a, slog.Duration("up", l.up))
	}
	if l.down > 0 {
		a = append(a, slog.Duration("down", l.down))
	}
	if l.attempts > 0 {
		a = append(a, slog.Uint64("attempts", l.attempts))
	}
	if l.queued > 0 {
		a = append(a, slog.Int("queued", l.queued))
	}
	if l.unsent > 0 {
		a = append(a, slog.Int("unsent", l.unsent))
	}
	switch {
	case l.inbound:
		a = append(a, slog.String("direction", "inbound"))
	case l.outbound:
		a = append(a, slog.String("direction", "outbound"))
	}
	if l.dropped > 0 {
		a = append(a, slog.Uint64("dropped", l.dropped))
	}
	if l.suppressed > 0 {
		a = append(a, slog.Int("suppressed", l.suppressed))
	}
	return a
}

// LogValue makes a session an attribute of the user's own lines.
func (s *Session) LogValue() slog.Value {
	s.mu.Lock()
	remote, state, epoch := s.remote, s.state, s.epoch
	s.mu.Unlock()
	of := []slog.Attr{
		slog.Uint64("id", s.id), slog.String("name", Quoted(s.cfg.Name)),
		slog.String("remote", Quoted(remote.String())), slog.String("state", state.String()),
		slog.Uint64("epoch", epoch),
	}
	if s.identity != "" {
		of = append(of, slog.String("identity", Quoted(s.identity)))
	}
	return slog.GroupValue(of...)
}
