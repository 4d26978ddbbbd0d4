package session

import "time"

// counters are a session's statistics. Session.mu guards them.
type counters struct {
	accepted, sent, sentBytes, dropped, undeliverable, discarded, returned, attempts uint64
	acked, resumed, lost                                                             uint64 // with Resume
}

// Stats are figures about one session, all of the same instant. They add up:
//
//	Accepted = Sent + Queued + (Dropped − DroppedInbound) + Discarded + Returned
//
// or, with Resume, where Sent counts a message each time that it is sent,
//
//	Accepted = Acked + Unacked + Lost + Queued + (Dropped − DroppedInbound) + Discarded + Returned
type Stats struct {
	// Epoch is the number of connections so far.
	Epoch uint64
	// Attempts is the number of dials, successful or not.
	Attempts uint64
	// Received and ReceivedBytes are the messages from the peer, and the bytes of their payload.
	Received, ReceivedBytes uint64
	// Accepted is the number of messages that the session took: those of Send and TrySend that
	// returned nil, and all that were taken from WriteChan.
	Accepted uint64
	// Sent and SentBytes are the messages that were given to the operating system, and the bytes
	// of their payload.
	Sent, SentBytes uint64
	// Dropped is the number of messages that Dropping or Sliding buffers dropped, in both
	// directions, of those that broadcasts with Latest have replaced, of those that were undeliverable,
	// and of those that were handed back by events that nobody read, beyond four times what WriteBuffer
	// holds; DroppedInbound is how many of them came from the peer.
	Dropped, DroppedInbound uint64
	// Undeliverable is how many of Dropped were dropped since three connections had ended while
	// they were being written: see ErrUndeliverable.
	Undeliverable uint64
	// Discarded is the number of messages from WriteChan that could not be accepted: empty, too
	// large, too late, or with WhileDown: Refuse, while there was no connection.
	Discarded uint64
	// Returned is the number of messages that were accepted, not sent, and handed back to the user in
	// Event.Unsent. What Hello returns is in none of these figures.
	Returned uint64
	// Queued and QueuedBytes are the messages that wait to be sent, and the bytes of their payload,
	// without those that WriteChan holds. After Closed they are those that were never sent.
	Queued, QueuedBytes int
	// Acked is, with Resume, the number of messages that the peer has acknowledged, and Unacked of those
	// that were taken to be sent and that it has not. They are 0 without.
	Acked   uint64
	Unacked int
	// Resumed is the number of connections that went on where the one before had ended. Lost is the
	// number of messages that may not have arrived, since a connection did not, or the session closed; not
	// of those that ResendLost sends again.
	Resumed, Lost uint64
	// Unread and UnreadBytes are the messages that wait for the user, and the bytes of their payload,
	// without those that ReadChan holds and those of the batch that Recv, ReadChan, OnEvent or a loop
	// over Events is handing out.
	Unread, UnreadBytes int
	// Opened is when the session was made.
	Opened time.Time
	// LastReceived and LastSent are when bytes last came, and when any were given to the operating
	// system, on the current connection; zero without one.
	LastReceived, LastSent time.Time
	// LastError is why the last attempt to connect failed, or the last connection was lost: while
	// Disconnected tells of the first cause of an outage, this is the latest. It is nil while a
	// connection has proved itself by a frame that was received on it.
	LastError error
}

// Stats returns the session's figures.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.statsNow()
}

// statsNow is Stats. The caller holds mu.
func (s *Session) statsNow() Stats {
	st := Stats{
		Epoch: s.epoch, Attempts: s.stats.attempts,
		Accepted: s.stats.accepted, Sent: s.stats.sent, SentBytes: s.stats.sentBytes,
		Dropped: s.stats.dropped, Undeliverable: s.stats.undeliverable,
		Discarded: s.stats.discarded, Returned: s.stats.returned,
		Queued: s.out.messages, QueuedBytes: s.out.bytes,
		Acked: s.stats.acked, Unacked: s.out.kept.unacked(), Resumed: s.stats.resumed, Lost: s.stats.lost,
		Opened: s.at(s.opened), LastError: s.failed,
	}
	if c := s.conn; s.begun() {
		st.LastReceived, st.LastSent = s.at(c.lastRead.Load()), s.at(c.lastWrite.Load())
		if c.heard.Load() {
			st.LastError = nil
		}
	}
	if s.w != nil {
		late := s.w.late.Load()
		st.Accepted += late
		st.Discarded += late
	}
	in := s.in
	in.mu.Lock()
	defer in.mu.Unlock()
	st.Received, st.ReceivedBytes = in.received, in.receivedBytes
	st.Unread, st.UnreadBytes = in.messages, in.bytes
	st.Dropped += in.dropped
	st.DroppedInbound = in.dropped
	return st
}

// at returns an instant of the session's clock.
func (s *Session) at(instant int64) time.Time { return s.cfg.Start.Add(time.Duration(instant)) }

// RTT returns how long a round trip to the peer's host takes, as TCP has measured it on the current
// connection, smoothed. It asks the operating system. It reports false without a connection, where
// that does not measure, and for unix sockets; it is known on Linux only.
func (s *Session) RTT() (time.Duration, bool) {
	s.mu.Lock()
	c, begun := s.conn, s.begun()
	s.mu.Unlock()
	if !begun {
		return 0, false
	}
	pulse, known := c.link.Pulse()
	return pulse.RTT, known && pulse.RTT > 0
}
