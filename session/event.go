package session

import "fmt"

// EventKind tells what happened to a session.
type EventKind uint8

// The kinds of events. The zero value is none of them.
const (
	// Connected begins a connection.
	Connected EventKind = iota + 1
	// Message carries a payload.
	Message
	// Disconnected ends a connection, or says that the first could not be made. The session lives
	// on.
	Disconnected
	// Closed is the last event of a session.
	Closed
)

// String returns the kind's name in lower case.
func (k EventKind) String() string {
	switch k {
	case Connected:
		return "connected"
	case Message:
		return "message"
	case Disconnected:
		return "disconnected"
	case Closed:
		return "closed"
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}

// Event is what a session tells its user.
type Event struct {
	// Kind says which of the other fields mean something.
	Kind EventKind
	// Resumed is, for Connected, that the session goes on: all that was sent and accepted on the
	// connection before arrives, once and in order, see ConnectOptions.Resume.
	Resumed bool
	// Lost is, of a session with Resume, the number of messages that were sent and not acknowledged,
	// and may have arrived or not: for a Connected that is not the first and not Resumed, and for
	// Closed. With ResendLost those of Connected are sent again.
	Lost int32
	// Payload is the message; nil for other kinds. It belongs to the receiver, but in an OnEvent
	// callback only until that returns. Small payloads of one read share a block of up to 4 KiB, or
	// 16 KiB from 256 bytes on: clone one that is to be kept for long. The library finds out by
	// finalizers when nothing refers to it any more: set none of your own.
	Payload []byte
	// Err is why, for Disconnected and Closed; nil after a clean local close. io.EOF means that the
	// peer has ended the connection, io.ErrUnexpectedEOF that it ended within a frame, or under TLS
	// without the peer's goodbye, as by somebody on the way.
	Err error
	// Epoch counts the session's connections from 1; 0 before the first. A number is left out where
	// a connection had ended before its events were read, and had brought no message, or a lossy
	// buffer with more than 128 lifecycle events had dropped all that it brought.
	Epoch uint64
	// Queued is, for Disconnected, the number of messages kept for the next connection, without
	// those that WriteChan itself still holds; for Closed, of those that were never sent. Those of
	// Unsent do not count. With Resume those count for Disconnected that are not acknowledged, of which
	// the peer may have some.
	Queued int
	// Unsent are, with WhileDown: Refuse, for Disconnected and Closed, the messages that were accepted
	// and not sent, in order. They will not be. The first may have been written in part: a peer does
	// not deliver a part of a message. Those that had been given to the operating system are not among
	// them, and may be lost. They belong to the receiver, and small ones share memory. Events that wait
	// to be read have four times as much of them as WriteBuffer holds, and one event's more: those of the
	// oldest are dropped, and counted.
	Unsent [][]byte
}

// size returns the bytes of all messages of the event.
func (ev *Event) size() int {
	n := len(ev.Payload)
	for _, m := range ev.Unsent {
		n += len(m)
	}
	return n
}
