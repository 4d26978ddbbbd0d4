package session

import "sync/atomic"

// Account adds up the messages of many sessions, of those that have closed, too. It adds up itself:
//
//	Accepted = Sent + Queued + Unsent + (Dropped − DroppedInbound) + Discarded + Returned
//
// Its figures never get smaller, but for Queued, which becomes Sent, Dropped or Unsent.
type Account struct {
	// Accepted is the number of messages that sessions took, see [Stats].
	Accepted uint64
	// Sent is the number of messages that were given to the operating system.
	Sent uint64
	// Queued is the number of messages that wait to be sent.
	Queued uint64
	// Unsent is the number of messages that were never sent: what was queued when their session
	// closed.
	Unsent uint64
	// Dropped is the number of messages that buffers dropped, in both directions; DroppedInbound is
	// how many of them came from peers.
	Dropped, DroppedInbound uint64
	// Discarded is the number of messages from WriteChan that could not be sent.
	Discarded uint64
	// Returned is the number of messages that were handed back to the user, see WhileDown.
	Returned uint64
}

// add adds the figures of b.
func (a *Account) add(b Account) {
	a.Accepted += b.Accepted
	a.Sent += b.Sent
	a.Queued += b.Queued
	a.Unsent += b.Unsent
	a.Dropped += b.Dropped
	a.DroppedInbound += b.DroppedInbound
	a.Discarded += b.Discarded
	a.Returned += b.Returned
}

// late adds messages that were sent to WriteChan after its session had closed.
func (a *Account) late(n uint64) {
	a.Accepted += n
	a.Discarded += n
}

// account returns the session's part, without what came after it had closed: from then on it stays
// as it is.
func (s *Session) account() Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := Account{
		Accepted: s.stats.accepted, Sent: s.stats.sent, Dropped: s.stats.dropped,
		Discarded: s.stats.discarded, Returned: s.stats.returned,
	}
	if s.state == StateClosed {
		a.Unsent = uint64(s.out.messages)
	} else {
		a.Queued = uint64(s.out.messages)
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	a.Dropped += s.in.dropped
	a.DroppedInbound = s.in.dropped
	return a
}

// lateSends counts the messages that were thrown away after the end. It is an object of its own,
// so that what counts them keeps no session.
type lateSends = *atomic.Uint64
