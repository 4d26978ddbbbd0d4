package session

// counters are a session's statistics. Session.mu guards them.
type counters struct{ sent, sentBytes, dropped, discarded, returned, attempts uint64 }

// Stats are figures about one session.
type Stats struct {
	// Epoch is the number of connections so far.
	Epoch uint64
	// Attempts is the number of dials, successful or not.
	Attempts uint64
	// Received and ReceivedBytes are the messages from the peer, and the bytes of their payload.
	Received, ReceivedBytes uint64
	// Sent and SentBytes are the messages that were given to the operating system, and the bytes
	// of their payload.
	Sent, SentBytes uint64
	// Dropped is the number of messages that Dropping or Sliding buffers dropped, in both
	// directions, and of those that were handed back by events that nobody read, beyond four
	// times what WriteBuffer holds.
	Dropped uint64
	// Discarded is the number of messages from WriteChan that could not be accepted: empty, too
	// large, too late, or with WhileDown: Refuse, while there was no connection.
	Discarded uint64
	// Returned is the number of messages that were accepted, not sent, and handed back to the user in
	// Event.Unsent. All messages that were accepted are in Sent, Queued, Dropped or Returned. What
	// Hello returns is in none of these.
	Returned uint64
	// Queued is the number of messages that wait to be sent, without those that WriteChan holds.
	// After Closed it is the number of those that were never sent.
	Queued int
	// Unread is the number of messages that wait for the user, without those that ReadChan holds
	// and those of the batch that Recv, ReadChan, OnEvent or a loop over Events is handing out.
	Unread int
	// LastError is why the last attempt to connect failed, or the last connection was lost: while
	// Disconnected tells of the first cause of an outage, this is the latest. It is nil while a
	// connection has proved itself by a frame that was received on it.
	LastError error
}

// Stats returns the session's figures.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{
		Epoch: s.epoch, Attempts: s.stats.attempts,
		Sent: s.stats.sent, SentBytes: s.stats.sentBytes,
		Dropped: s.stats.dropped, Discarded: s.stats.discarded, Returned: s.stats.returned,
		Queued: s.out.messages, LastError: s.failed,
	}
	if s.conn != nil && s.conn.heard.Load() {
		st.LastError = nil
	}
	if s.w != nil {
		st.Discarded += s.w.late.Load()
	}
	in := s.in
	in.mu.Lock()
	defer in.mu.Unlock()
	st.Received, st.ReceivedBytes, st.Unread = in.received, in.receivedBytes, in.messages
	st.Dropped += in.dropped
	return st
}
