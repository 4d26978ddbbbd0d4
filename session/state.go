package session

import (
	"fmt"
	"slices"
)

// State is where a session stands.
//
//	dialed    connecting ─open→ connected ─drop, stuck→ disconnected ─back-off over→ connecting
//	accepted  connecting ─open→ connected ─drop, stuck→ closed
//	both      any ─Close, shutdown, attempts exhausted→ closed
//
// A dialed session whose attempt fails goes from connecting to disconnected, too. With
// AwaitPeer a connection is open when the first frame was received on it. An accepted
// session is made connecting and connected by the same call. A dialed session that is closing and
// still has messages to send goes on along the first line until they are sent or Linger has passed.
type State uint8

// The states of a session.
const (
	StateConnecting State = iota
	StateConnected
	StateDisconnected
	StateClosed
)

// String returns the state's name in lower case.
func (s State) String() string {
	switch s {
	case StateConnecting:
		return "connecting"
	case StateConnected:
		return "connected"
	case StateDisconnected:
		return "disconnected"
	case StateClosed:
		return "closed"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// successors is the transition table.
var successors = [...][]State{
	StateConnecting:   {StateConnected, StateDisconnected, StateClosed},
	StateConnected:    {StateDisconnected, StateClosed},
	StateDisconnected: {StateConnecting, StateClosed},
	StateClosed:       {},
}

// to moves on to another state. A move that the diagram does not show is a mistake of this package.
func (l *life) to(next State) {
	if !slices.Contains(successors[l.state], next) {
		panic(fmt.Sprintf("netasync: a session may not go from %v to %v", l.state, next))
	}
	l.state = next
}
