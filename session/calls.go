package session

import "context"

// This is what package call needs of a session beyond what users have: which message is which, and up to
// which one they were given to a peer that is not the one of now. It is in Driver, and not for users.

// past is what became of messages with the last connection that nothing goes on from: a plain one, or
// with Resume the last one of the peer's session before. Session.mu guards it.
type past struct {
	epoch uint64 // of that connection
	gone  uint64 // messages that are not queued any more: they were sent, wholly, or given up
}

// bury notes that nothing goes on from the last connection. The caller holds mu, and waiting messages will
// be sent to whoever comes next.
func (s *Session) bury(waiting int) {
	s.past = past{epoch: s.epoch, gone: s.stats.accepted - uint64(waiting)}
}

// brokenRules says that the user has found a peer that does not keep to the rules of what it sends.
type brokenRules struct{ error }

func (b brokenRules) Unwrap() error { return b.error }

// SendNumbered is Session.Send. It returns the number of the message, as all that were accepted are
// counted from 1.
func (d Driver) SendNumbered(ctx context.Context, payload []byte) (number uint64, err error) {
	return d.s.send(ctx, payload)
}

// TrySendNumbered is Session.TrySend, in the same way, and returns ErrNotConnected while there is no
// connection.
func (d Driver) TrySendNumbered(payload []byte) (number uint64, err error) {
	return d.s.trySend(payload, true)
}

// Gone returns the epoch of the last connection that nothing goes on from, and up to which number
// messages were sent before its end. Of a session that has closed those behind that number were never sent.
func (d Driver) Gone() (epoch, number uint64) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return d.s.past.epoch, d.s.past.gone
}

// Resumes reports whether the session goes on over several connections.
func (d Driver) Resumes() bool { return d.s.resume != nil }

// CallsBack reports whether events go to OnEvent.
func (d Driver) CallsBack() bool { return d.s.cfg.OnEvent != nil }

// Lossy reports whether a buffer may drop messages.
func (d Driver) Lossy() bool {
	return d.s.cfg.ReadBuffer.Policy != PolicyFixed || d.s.cfg.WriteBuffer.Policy != PolicyFixed
}

// Refuses reports whether no message waits for a connection.
func (d Driver) Refuses() bool { return d.s.cfg.WhileDown == Refuse }

// MaxPayload returns how large a message may be.
func (d Driver) MaxPayload() int { return d.s.cfg.MaxPayload }

// Reject ends the connection of that epoch, whose peer has sent what it must not. A dialed session connects
// again, and nothing goes on; an accepted one ends.
func (d Driver) Reject(epoch uint64, err error) {
	s := d.s
	err = brokenRules{err}
	s.mu.Lock()
	c := s.conn
	current := c != nil && s.begun() && (c.epoch == epoch || s.resume != nil)
	if current {
		s.detach(err)
	}
	switch {
	case s.dialed() && s.resume != nil:
		s.resume.forget()
	case s.dialed():
	case current:
		s.hope = false
	default:
		s.abortWith(err)
	}
	s.settle()
	if current {
		c.link.Close()
	}
}
