package session

import (
	"fmt"
	"slices"
)

// State is where a session stands.
//
//	connecting ──open──► connected ──drop, stuck──► disconnected ──back-off over──► connecting      (dialed)
//	any ──Close, shutdown, attempts exhausted──► closed                                             (final)
//	connected ──drop, stuck, Close──► closed                                                        (accepted)
//
// A dialed session whose attempt fails goes from connecting to disconnected,
// too. An accepted session is made connecting and connected by the same call.
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

// mayBecome is the transition table.
var mayBecome = [...][]State{
	StateConnecting:   {StateConnected, StateDisconnected, StateClosed},
	StateConnected:    {StateDisconnected, StateClosed},
	StateDisconnected: {StateConnecting, StateClosed},
	StateClosed:       {},
}

// stateMachine holds a State and refuses what the diagram does not show. The
// session's mutex guards it.
type stateMachine struct{ now State }

// to moves on to next, and reports whether the diagram allows that.
func (m *stateMachine) to(next State) bool {
	allowed := slices.Contains(mayBecome[m.now], next)
	if allowed {
		m.now = next
	}
	return allowed
}
