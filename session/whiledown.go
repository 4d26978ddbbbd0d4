package session

import "bytes"

// WhileDown says what a dialed session does with messages while it has no connection.
type WhileDown uint8

const (
	// Queue keeps messages for the next connection, within WriteBuffer.
	Queue WhileDown = iota
	// Refuse takes no messages, and hands back those that were accepted and not sent when the
	// connection broke.
	Refuse
)

// down reports whether messages are refused since there is no connection. The caller holds mu.
func (s *Session) down() bool {
	return s.cfg.WhileDown == Refuse && !s.begun()
}

// refusal returns why no message is accepted now, or nil. The caller holds mu.
func (s *Session) refusal() error {
	switch {
	case s.phase != open:
		return ErrClosed
	case s.down():
		return ErrNotConnected
	}
	return nil
}

// handBack takes all messages out of the outbound queue, for the user, if that is how it is to be
// while there is no connection. A Flush that waits for them returns err. Nothing is being written. The
// caller holds mu.
func (s *Session) handBack(err error) (unsent [][]byte) {
	if s.cfg.WhileDown != Refuse {
		return nil
	}
	unsent = s.out.payloads()
	s.stats.returned += uint64(len(unsent))
	s.out.failFlushes(err, s.out.kept.unacked())
	s.out.empties()
	return unsent
}

// forgetUnsent bounds what a user who reads no events has waiting for him. The caller holds mu.
func (s *Session) forgetUnsent() {
	s.in.mu.Lock()
	n := s.in.queue.forgetUnsent(&s.cfg.WriteBuffer)
	s.in.mu.Unlock()
	s.stats.returned -= uint64(n)
	s.stats.dropped += uint64(n)
}

// payloads returns the messages of the queue, in order. They may keep the memory of the frames.
func (o *outbox) payloads() [][]byte {
	if o.messages == 0 {
		return nil
	}
	all := make([][]byte, 0, o.messages)
	return o.pending.payloads(o.inflight.payloads(all))
}

// empties takes out all messages, which will not be sent.
func (o *outbox) empties() {
	o.inflight, o.pending = nil, nil // not to be used again: the user has their memory
	o.messages, o.bytes, o.spoiled = 0, 0, 0
	o.room.wake() // those that wait for room do so in vain
}

// payloads appends the messages, in order, to all.
func (fs *frames) payloads(all [][]byte) [][]byte {
	if fs.empty() {
		return all
	}
	at, refs := fs.start, fs.large
	for _, s := range fs.sizes[fs.first:] {
		for range s.frames {
			header, n := int(s.header), int(s.payload)
			switch {
			case n == 0: // a heartbeat
			case s.form == copied:
				all = append(all, fs.buf[at+header:at+header+n:at+header+n])
			case s.form == referred:
				all = append(all, refs[0].payload)
				refs = refs[1:]
			case s.form == shared: // others have it, too
				all = append(all, bytes.Clone(refs[0].payload[header:]))
				refs = refs[1:]
			}
			at += s.inBuf()
		}
	}
	return all
}
