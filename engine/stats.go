package engine

import "github.com/netasync/netasync/session"

// Stats are figures about an engine or a handler.
type Stats struct {
	Sessions  int      // open now
	Detached  int      // of these, accepted ones with Resume that wait for their peer
	Accepted  uint64   // connections that became sessions
	Refused   uint64   // connections that did not, whatever the reason
	RefusedBy Refusals // the same by reason
	Routed    uint64   // connections that Route has taken, or whose peer Redirect has sent elsewhere
	Left      uint64   // times a session left its event loop because its user was slow
	Returned  uint64   // times one came back

	// Loops is the number of event loops that run now: 0 before the first connection needs one, after
	// Shutdown, and of a Handler, whose loops are the user's gnet engine's.
	Loops int

	// Totals are the sums over all sessions, of those that have closed, too.
	Totals session.Totals
}

// Refusals are how many connections did not become sessions, by reason. Their sum is Stats.Refused.
type Refusals struct {
	MaxSessions        uint64 // MaxSessions was reached
	MaxSessionsPerAddr uint64 // MaxSessionsPerAddr was reached
	MaxPending         uint64 // MaxPending was reached
	HandshakeTimeout   uint64 // HandshakeTimeout was over
	Handshake          uint64 // the TLS handshake failed
	Authorize          uint64 // Authorize returned an error
	Identify           uint64 // Identify returned an error
	AcceptFull         uint64 // AcceptChan of a Handler was full
	Resume             uint64 // the peer's Hello was refused, or with ResumeOnly there was none
	Undrained          uint64 // a Handler's peer did not take what had been written to it before
	Shutdown           uint64 // the listener, the handler, the engine or the session was ended
	System             uint64 // no descriptor, reset before it began, or refused by the event loop
}

// refusal is a reason to refuse a connection.
type refusal int

const (
	byMaxSessions refusal = iota
	byMaxPerAddr
	byMaxPending
	byTimeout
	byHandshake
	byAuthorize
	byIdentify
	byAcceptFull
	byResume
	byUndrained
	byShutdown
	bySystem
	refusals // how many there are
)

// String returns the name of the field that counts it.
func (r refusal) String() string {
	return [...]string{
		"MaxSessions", "MaxSessionsPerAddr", "MaxPending", "HandshakeTimeout", "Handshake",
		"Authorize", "Identify", "AcceptFull", "Resume", "Undrained", "Shutdown", "System",
	}[r]
}

func (h *host) stats() Stats {
	st := Stats{
		Sessions: h.sessions.Len(),
		Detached: h.resumptions.count(),
		Accepted: h.figures.accepted.Load(),
		Routed:   h.figures.routed.Load(),
		Left:     h.figures.left.Load(),
		Returned: h.figures.returned.Load(),
		Totals:   h.sessions.Total(),
	}
	if h.loops != nil {
		st.Loops = int(h.loops.running.Load())
	}
	by := &st.RefusedBy
	for r, n := range [...]*uint64{
		&by.MaxSessions, &by.MaxSessionsPerAddr, &by.MaxPending, &by.HandshakeTimeout, &by.Handshake,
		&by.Authorize, &by.Identify, &by.AcceptFull, &by.Resume, &by.Undrained, &by.Shutdown, &by.System,
	} {
		*n = h.figures.refused[r].Load()
		st.Refused += *n
	}
	return st
}
