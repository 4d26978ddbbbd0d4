package session

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// journal is what a session has to tell its logger. It exists only where there is one.
//
// A user's handler may block, and may call the session. So lines are noted under Session.mu, and
// told without a lock, by whoever has released it: settle, Send, and what else may have noted one,
// see due. One goroutine at a time tells, and goes on until nothing is left: lines come in order,
// and a handler that calls the session finds that somebody tells already. No wake-up is lost, since
// a line is noted, and its teller gives up, under the same lock. What ends a session comes behind
// its last line: a shutdown does not return before that is told.
//
// Session.mu guards all fields.
type journal struct {
	lines   []line
	telling bool
	held    bool // a connection begins, under locks of the engine: its Start tells
	ended   bool // forget was called, or is about to be

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
}

// note adds a line. The caller holds mu.
func (s *Session) note(l line) {
	l.remote, l.epoch = s.remote, s.epoch
	s.journal.lines = append(s.journal.lines, l)
}

// due reports whether the caller is to call tell when it has released mu, which it holds.
func (s *Session) due() bool {
	j := s.journal
	return j != nil && !j.held && !j.telling && (len(j.lines) > 0 || s.state == StateClosed && !j.ended)
}

// tell tells what was noted, unless another goroutine does already, and ends a session that has
// closed. The caller holds no lock.
func (s *Session) tell() {
	s.mu.Lock()
	if !s.due() {
		s.mu.Unlock()
		return
	}
	j := s.journal
	j.telling = true
	for len(j.lines) > 0 {
		lines := j.lines
		j.lines = nil
		s.mu.Unlock()
		for i := range lines {
			s.tellLine(&lines[i])
		}
		s.mu.Lock()
	}
	j.telling = false
	ends := s.state == StateClosed && !j.ended
	j.ended = j.ended || ends
	s.mu.Unlock()
	if ends {
		s.forget()
	}
}

// release tells what a beginning connection has held back. The caller holds no lock.
func (s *Session) release() {
	if s.journal == nil {
		return
	}
	s.mu.Lock()
	s.journal.held = false
	s.mu.Unlock()
	s.tell()
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
	return a
}

// LogValue makes a session an attribute of the user's own lines.
func (s *Session) LogValue() slog.Value {
	s.mu.Lock()
	remote, state, epoch := s.remote, s.state, s.epoch
	s.mu.Unlock()
	return slog.GroupValue(slog.Uint64("id", s.id), slog.String("name", Quoted(s.cfg.Name)),
		slog.String("remote", Quoted(remote.String())), slog.String("state", state.String()),
		slog.Uint64("epoch", epoch))
}
