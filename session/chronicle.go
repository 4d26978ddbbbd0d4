package session

import (
	"errors"
	"io"
	"log/slog"
	"time"
)

// This is what a session notes for its logger, and when: one line for each outage and one for each
// return. The callers hold mu; without a logger nothing is noted.

// noteConnected notes a connection. One behind an unproven one tells nothing new, until it has
// proved itself, see noteProven: otherwise a server that hangs up at once would fill the log.
func (s *Session) noteConnected() {
	j := s.journal
	if j == nil {
		return
	}
	if j.quiet = j.unproven; j.quiet {
		s.note(s.outageUntilNow(line{level: slog.LevelDebug, text: connectedText}))
		return
	}
	s.noteReturn()
}

// noteProven notes that a connection that was not told has proved itself.
func (s *Session) noteProven() {
	if j := s.journal; j.quiet {
		j.quiet = false
		s.noteReturn()
	}
}

// noteReturn notes that an outage is over, or that the first connection has begun.
func (s *Session) noteReturn() {
	s.note(s.outageUntilNow(line{level: slog.LevelInfo, text: connectedText}))
	s.beginPeriod()
	s.journal.lost = false
}

const connectedText = "netasync: connected"

// outageUntilNow adds to a line how long the outage was, and what it took.
func (s *Session) outageUntilNow(l line) line {
	j := s.journal
	l.attempts = s.stats.attempts - j.attempts
	l.dropped = s.droppedSince()
	if j.lost {
		l.down = s.untilNow()
	}
	return l
}

// noteUnreachable notes that the first attempt failed: an outage has begun. The dialer tells it.
func (s *Session) noteUnreachable() {
	if j := s.journal; j != nil {
		j.since, j.lost = s.now(), true
	}
}

// noteLost notes the end of a connection of a dialed session.
func (s *Session) noteLost() {
	j := s.journal
	if j == nil {
		return
	}
	l := line{level: slog.LevelInfo, text: lostText, err: s.cause, queued: s.out.queued()}
	if j.quiet {
		l.level = slog.LevelDebug
	} else {
		l.up, l.dropped = s.untilNow(), s.droppedSince()
		s.beginPeriod()
	}
	s.note(l)
	j.lost, j.quiet, j.unproven = true, false, !s.proven
}

const lostText = "netasync: connection lost"

// noteUndeliverable notes a message that the peer does not take.
func (s *Session) noteUndeliverable() {
	if s.journal != nil {
		s.note(line{level: slog.LevelWarn, text: undeliverableText, err: s.cause})
	}
}

const undeliverableText = "netasync: a message was dropped: three connections ended within it"

// noteClosed notes the end of the session, which its user has heard of.
func (s *Session) noteClosed() {
	j := s.journal
	if j == nil {
		return
	}
	l := line{level: slog.LevelInfo, text: "netasync: closed", err: s.reason(), dropped: s.droppedSince()}
	if s.state == StateConnected && !s.abort && l.err != nil && !errors.Is(l.err, io.EOF) {
		l.text = lostText
	}
	if j.lost {
		l.down = s.untilNow()
	} else {
		l.up = s.untilNow()
	}
	s.note(l)
	if unsent := s.out.messages + s.out.doubtful; unsent > 0 {
		s.note(line{level: slog.LevelWarn, text: "netasync: messages were not sent", unsent: unsent})
	}
}

// countDrop counts an outbound message that was dropped. The first of a connection, or an outage, is
// told at once, and their number at its end.
func (s *Session) countDrop() {
	s.stats.dropped++
	if j := s.journal; j != nil && !j.dropsOut {
		j.dropsOut = true
		s.note(line{level: slog.LevelWarn, text: dropText, outbound: true})
	}
}

const dropText = "netasync: a buffer is full and drops messages"

// noteDrops does as much for inbound messages. Its caller holds no lock.
func (s *Session) noteDrops() {
	j := s.journal
	if j == nil || s.cfg.ReadBuffer.Policy == PolicyFixed {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != StateClosed && !j.dropsIn && s.in.droppedNow() > j.droppedIn {
		j.dropsIn = true
		s.note(line{level: slog.LevelWarn, text: dropText, inbound: true})
	}
}

// droppedNow returns how many messages were dropped.
func (in *inbox) droppedNow() uint64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.dropped
}

// beginPeriod begins a connection or an outage, as far as its figures are concerned.
func (s *Session) beginPeriod() {
	j := s.journal
	j.since, j.attempts = s.now(), s.stats.attempts
	j.droppedOut, j.droppedIn = s.stats.dropped, s.in.droppedNow()
	j.dropsOut, j.dropsIn = false, false
}

// droppedSince returns how many messages were dropped in this connection or outage.
func (s *Session) droppedSince() uint64 {
	return s.stats.dropped - s.journal.droppedOut + s.in.droppedNow() - s.journal.droppedIn
}

// untilNow returns for how long this connection or outage has lasted: at least an instant.
func (s *Session) untilNow() time.Duration { return time.Duration(max(1, s.now()-s.journal.since)) }
