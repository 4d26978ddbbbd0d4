package session

import (
	"iter"
	"maps"
	"slices"
	"sync/atomic"
)

// Totals are sums over all sessions of one name, of those that have closed, too. The messages add up:
//
//	Accepted = Sent + Queued + Unsent + (Dropped − DroppedInbound) + Discarded + Returned
//
// where sessions with Resume have Acked + Unacked + Lost in the place of Sent. Its figures never get
// smaller, but for those that say how it is now: Sessions, Connected, Detached, Dialed, DialedConnected,
// Queued, QueuedBytes, Unread, UnreadBytes and Unacked.
type Totals struct {
	// Sessions is the number of sessions that are open, Connected of those that have a connection, and
	// Detached of accepted ones that wait for their peer to come back, with Resume.
	Sessions, Connected, Detached int
	// Connections is the number of connections there were, and Disconnects of those that have ended,
	// by reason.
	Connections uint64
	Disconnects [Reasons]uint64
	// Dialed, DialedConnected and DialedConnections are how many of Sessions, Connected and Connections
	// are of dialed sessions. The others are of accepted ones.
	Dialed, DialedConnected int
	DialedConnections       uint64
	// Attempts is the number of dials, and FailedAttempts of those that brought no connection.
	Attempts, FailedAttempts uint64
	// Received and ReceivedBytes are the messages from peers, and the bytes of their payload.
	Received, ReceivedBytes uint64
	// Accepted is the number of messages that sessions took, see Stats.
	Accepted uint64
	// Sent and SentBytes are the messages that were given to the operating system, and the bytes of
	// their payload.
	Sent, SentBytes uint64
	// Queued and QueuedBytes are the messages that wait to be sent.
	Queued, QueuedBytes uint64
	// Unread and UnreadBytes are the messages that wait for users, see Stats.
	Unread, UnreadBytes uint64
	// Unsent is the number of messages that were never sent: what was queued when their session
	// closed.
	Unsent uint64
	// Dropped is the number of messages that were dropped, in both directions; DroppedInbound is how
	// many of them came from peers, and Undeliverable how many their peer did not take.
	Dropped, DroppedInbound, Undeliverable uint64
	// Discarded is the number of messages from WriteChan that could not be sent.
	Discarded uint64
	// Returned is the number of messages that were handed back to the user, see WhileDown.
	Returned uint64
	// Acked, Unacked, Resumed and Lost are, of sessions with Resume, the sums of those of Stats.
	Acked, Unacked, Resumed, Lost uint64
}

// add adds the figures of b.
func (t *Totals) add(b *Totals) {
	t.Sessions += b.Sessions
	t.Connected += b.Connected
	t.Detached += b.Detached
	t.Dialed += b.Dialed
	t.DialedConnected += b.DialedConnected
	for _, sum := range [...]struct{ to, of *uint64 }{
		{&t.Connections, &b.Connections}, {&t.DialedConnections, &b.DialedConnections},
		{&t.Attempts, &b.Attempts}, {&t.FailedAttempts, &b.FailedAttempts}, {&t.Received, &b.Received},
		{&t.ReceivedBytes, &b.ReceivedBytes}, {&t.Accepted, &b.Accepted}, {&t.Sent, &b.Sent},
		{&t.SentBytes, &b.SentBytes}, {&t.Queued, &b.Queued}, {&t.QueuedBytes, &b.QueuedBytes},
		{&t.Unread, &b.Unread}, {&t.UnreadBytes, &b.UnreadBytes}, {&t.Unsent, &b.Unsent},
		{&t.Dropped, &b.Dropped}, {&t.DroppedInbound, &b.DroppedInbound},
		{&t.Undeliverable, &b.Undeliverable}, {&t.Discarded, &b.Discarded}, {&t.Returned, &b.Returned},
		{&t.Acked, &b.Acked}, {&t.Unacked, &b.Unacked}, {&t.Resumed, &b.Resumed}, {&t.Lost, &b.Lost},
	} {
		*sum.to += *sum.of
	}
	for reason, n := range b.Disconnects {
		t.Disconnects[reason] += n
	}
}

// Group is what the sessions of one name share: figures that are counted here when they happen,
// because they are rare, or come when a session has closed. Its zero value is ready for use, by many
// goroutines; a nil one counts nothing.
type Group struct {
	disconnects [Reasons]atomic.Uint64
	failed      atomic.Uint64 // attempts to connect
	discarded   atomic.Uint64 // messages that WriteChan got too late
	received    atomic.Uint64 // messages of a turn of callbacks that was not over when the session closed
	bytes       atomic.Uint64 // of their payload

	past Totals // of sessions that were removed. Registry.mu guards it
}

// disconnected counts the end of a connection.
func (g *Group) disconnected(r Reason) {
	if g != nil {
		g.disconnects[r].Add(1)
	}
}

// attemptFailed counts an attempt to connect.
func (g *Group) attemptFailed() {
	if g != nil {
		g.failed.Add(1)
	}
}

// discardedLate counts messages that were sent to WriteChan after its session had closed.
func (g *Group) discardedLate(n int) {
	if g != nil {
		g.discarded.Add(uint64(n))
	}
}

// receivedLate counts what a session has received and is not counted with it, which has closed.
func (g *Group) receivedLate(t tally) {
	if g != nil {
		g.received.Add(t.messages)
		g.bytes.Add(t.bytes)
	}
}

// totals returns what is counted here. The caller holds Registry.mu.
func (g *Group) totals() Totals {
	t := g.past
	for reason := range g.disconnects {
		t.Disconnects[reason] += g.disconnects[reason].Load()
	}
	t.FailedAttempts += g.failed.Load()
	late := g.discarded.Load()
	t.Accepted += late
	t.Discarded += late
	t.Received += g.received.Load()
	t.ReceivedBytes += g.bytes.Load()
	return t
}

// totals returns the session's part, without what its group counts. last says that it has closed, and
// that what it receives from now on is counted by the group.
func (s *Session) totals(last bool) Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := Totals{
		Connections: s.epoch, Attempts: s.stats.attempts, Accepted: s.stats.accepted,
		Sent: s.stats.sent, SentBytes: s.stats.sentBytes, Dropped: s.stats.dropped,
		Undeliverable: s.stats.undeliverable, Discarded: s.stats.discarded, Returned: s.stats.returned,
		Acked: s.stats.acked, Unacked: uint64(s.out.kept.unacked()), Resumed: s.stats.resumed, Lost: s.stats.lost,
	}
	if s.state == StateClosed {
		t.Unsent = uint64(s.out.messages)
	} else {
		t.Sessions = 1
		t.Queued, t.QueuedBytes = uint64(s.out.messages), uint64(s.out.bytes)
	}
	switch {
	case s.begun():
		t.Connected = 1
	case s.resume != nil && s.resume.accepted && s.state == StateDisconnected:
		t.Detached = 1
	}
	if s.dialed() {
		t.Dialed, t.DialedConnected, t.DialedConnections = t.Sessions, t.Connected, t.Connections
	}
	in := s.in
	in.mu.Lock()
	defer in.mu.Unlock()
	t.Received, t.ReceivedBytes = in.received, in.receivedBytes
	t.Dropped += in.dropped
	t.DroppedInbound = in.dropped
	if last {
		in.summed = true
	} else {
		t.Unread, t.UnreadBytes = uint64(in.messages), uint64(in.bytes)
	}
	return t
}

// Group returns what sessions of that name share. Names are kept as long as the registry: there are to
// be few.
func (r *Registry) Group(name string) *Group {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.groups == nil {
		r.groups = make(map[string]*Group)
	}
	if r.groups[name] == nil {
		r.groups[name] = new(Group)
	}
	return r.groups[name]
}

// Totals returns the sums of all sessions there are and were, by name, in the order of the names. Each
// session counts once: those that close meanwhile are among those that were found.
func (r *Registry) Totals() iter.Seq2[string, Totals] {
	r.mu.Lock()
	sums := make(map[string]Totals, len(r.groups))
	for name, g := range r.groups {
		sums[name] = g.totals()
	}
	open := slices.Collect(maps.Values(r.byID))
	r.mu.Unlock()
	for _, s := range open {
		sum, own := sums[s.cfg.Name], s.totals(false)
		sum.add(&own)
		sums[s.cfg.Name] = sum
	}
	return func(yield func(string, Totals) bool) {
		for _, name := range slices.Sorted(maps.Keys(sums)) {
			if !yield(name, sums[name]) {
				return
			}
		}
	}
}

// Total is the sum over all names.
func (r *Registry) Total() (sum Totals) {
	for _, t := range r.Totals() {
		sum.add(&t)
	}
	return sum
}
