package session

// phase is how far a session is towards its end. It only grows.
type phase uint8

const (
	open     phase = iota // messages are accepted
	ending                // messages are refused
	emptying              // the pump of the write channel queues what that still holds
	sealed                // nothing more will be queued
	goodbye               // all is written, and the peer is being told
)

// life are the facts that decide what a session does next. Session.mu guards them.
//
// A session closes when it is to end, nothing more will be queued, nobody writes, it has no
// connection, and to wait for one makes no sense any more.
type life struct {
	state   State // changed by to alone
	phase   phase
	abort   bool     // end without a flush
	cause   error    // of the last loss or failed dial, or of the abort; in StateClosed, why it closed
	conn    *Conn    // the current connection; nil: none. In StateConnecting it is a trial, see Config.AwaitPeer
	writing bool     // the right to write is taken
	left    leftover // what is left to be done for messages; brought up to date by settle
	hope    bool     // a further connection may come: the session is a dialed one, or an accepted one with Resume that is open
}

// leftover is what is left to be done for messages.
type leftover uint8

const (
	none    leftover = iota
	toWrite          // messages wait, and may be written as soon as there is a connection
	toAwait          // of a session with Resume: messages wait for an acknowledgement, before or after they are written
)

// step is what is to be done next.
type step uint8

const (
	nothing        step = iota
	emptyWriteChan      // refuse messages, and have the write channel's last ones queued
	cut                 // close the connection
	outage              // tell that the connection was lost, and dial
	write               // start a goroutine that writes what is queued
	sayGoodbye          // tell the peer that nothing more will come
	end                 // close the session
)

// String returns the step's name.
func (st step) String() string {
	return [...]string{"nothing", "emptyWriteChan", "cut", "outage", "write", "sayGoodbye", "end"}[st]
}

// next says what follows from the facts. testdata/next.golden shows all its answers.
func (l *life) next() step {
	connected, trial := l.conn != nil, l.trial()
	broken := connected && l.conn.writeErr != nil // the reader is about to find the end
	lost := !connected && l.state == StateConnected
	flushed := l.left == none || l.abort || !l.hope // or never will be, without a connection
	switch {
	case l.state == StateClosed:
		return nothing
	case connected && (l.abort || broken && l.phase >= sealed):
		return cut
	case trial && l.phase >= sealed && l.left == none:
		return cut
	case l.phase == ending, l.phase == open && (l.abort || lost && !l.hope):
		return emptyWriteChan
	case l.phase == emptying, l.writing, broken, trial:
		return nothing // the pump, the writer or the reader will settle
	case !connected && l.phase >= sealed && flushed:
		return end
	case lost:
		return outage
	case connected && l.left == toWrite:
		return write
	case connected && l.phase == sealed && l.left == none:
		return sayGoodbye
	}
	return nothing
}

// apply changes the facts as a step does. pumped says that a pump empties a write channel.
func (l *life) apply(st step, pumped bool) {
	switch st {
	case emptyWriteChan:
		l.phase = sealed
		if pumped {
			l.phase = emptying
		}
	case cut:
		l.conn = nil
	case outage:
		l.to(StateDisconnected)
	case write:
		l.writing = true
	case sayGoodbye:
		l.phase, l.writing = goodbye, true
	case end:
		l.to(StateClosed)
	}
}

// trial reports whether there is a connection of which the user has not heard: its peer has not
// said anything, and gets nothing before it does.
func (l *life) trial() bool { return l.conn != nil && l.state == StateConnecting }

// begun reports whether there is a connection of which the user has heard.
func (l *life) begun() bool { return l.conn != nil && l.state == StateConnected }

// attachable reports whether a connection would be of use.
func (l *life) attachable() bool {
	return l.state == StateConnecting && l.conn == nil && !l.abort && l.phase < goodbye
}

// dialable reports whether an attempt to connect would be of use.
func (l *life) dialable() bool { return l.state != StateClosed && !l.abort }
