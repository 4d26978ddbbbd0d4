package engine

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/netasync/netasync/session"
)

// admission is how connections become sessions, by the same five steps for a Listener and for a
// Handler:
//
//	1  enter      count it for its address, and see whether MaxSessions has room
//	2  handshake  do that of TLS
//	3  authorize  ask Authorize, then Identify
//	   greet      with Resume, read what the peer says first; a session that goes on takes it from here
//	4  begin      take a place under MaxSessions, make the session and start its connection
//	5  offer      send it to AcceptChan, unless OnEvent is set
//
// Steps 2 and 3 may take their time, up to HandshakeTimeout together, and run in a goroutine of the
// connection's own, see examine; where there are none, the connection needs no goroutine. Steps 4
// and 5 are the door's. Whatever a connection fails at, it is refused, which happens in one place,
// see refuse. How many are on their way at a time is bounded by slots.
type admission struct {
	host    *host
	plan    *plan
	log     *slog.Logger
	refused refusalLog
	door    door
	accept  chan *session.Session // AcceptChan: sent to by the door, closed by its owner
	done    chan struct{}         // closed by the door's owner: cuts off steps 2 and 3
	places  gauge                 // of sessions
	leave   func()                // places.exit, bound once
	addrs   addrGauge             // of connections, sessions or not; with Resume of sessions
	callers addrGauge             // with Resume, of connections that are no sessions yet
	absent  absences              // sessions that wait for their peer
	slots   chan struct{}         // MaxPending, see takeSlot
	misled  atomic.Bool           // that Redirect returned a bad address was told

	lastOffer atomic.Int64 // when a session was last sent to accept, see offered
}

// door is what a Listener and a Handler do differently.
type door interface {
	// admit does steps 4 and 5. An error refuses the connection.
	admit(a *arrival) error
}

// open prepares the admission, in place.
func (m *admission) open(h *host, p *plan, d door) {
	m.host, m.plan, m.door = h, p, d
	m.log = cmp.Or(p.log, h.log)
	m.refused.log, m.refused.name = m.log, p.Name
	m.accept = make(chan *session.Session, p.acceptBuffer)
	m.done = make(chan struct{})
	m.places.limit = p.maxSessions
	m.leave = m.places.exit
	m.addrs.limit, m.callers.limit = p.maxPerAddr, p.maxPerAddr
	m.absent.limit = p.maxDetached
	m.slots = make(chan struct{}, p.maxPending)
}

// Why connections are refused, beside a failed handshake and the errors of Authorize and Identify.
var (
	errMaxSessions = error(because{errors.New("netasync: MaxSessions reached"), byMaxSessions})
	errMaxPerAddr  = error(because{errors.New("netasync: MaxSessionsPerAddr reached"), byMaxPerAddr})
	errMaxPending  = error(because{errors.New("netasync: MaxPending reached"), byMaxPending})
	errTooSlow     = error(because{fmt.Errorf("netasync: HandshakeTimeout is over: %w", os.ErrDeadlineExceeded), byTimeout})
	errAcceptFull  = error(because{ErrAcceptFull, byAcceptFull})
	errEnded       = error(because{errors.New("netasync: no connections are accepted any more"), byShutdown})
	errUnwanted    = error(because{errors.New("netasync: the session was closed before its connection began"), byShutdown})
	errReset       = error(because{errors.New("netasync: the peer has reset the connection already"), bySystem})
)

// because is an error that says by what a connection was refused.
type because struct {
	error
	reason refusal
}

func (b because) Unwrap() error { return b.error }

// reasonOf returns by what a connection was refused. What is not marked comes from the system.
func reasonOf(err error) refusal {
	var b because
	switch {
	case errors.As(err, &b): // the outermost, so that it does not matter what Authorize returns
		return b.reason
	case errors.Is(err, session.ErrShutdown):
		return byShutdown
	}
	return bySystem
}

// failure marks an error as one of ours: it is logged as a warning.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// refusalLevel returns the level at which a refusal is logged.
func refusalLevel(err error) slog.Level {
	if errors.As(err, new(failure)) {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// remoteText returns the peer's address for a line of a log.
func remoteText(a *arrival) string {
	if a.remote == nil {
		return ""
	}
	return session.Quoted(a.remote.String())
}

// takeSlot waits for a slot: a connection has one from its acceptance until it is a session and was
// offered. It reports false if the door's owner has ended meanwhile.
func (m *admission) takeSlot() bool {
	select {
	case m.slots <- struct{}{}:
		return true
	case <-m.done:
		return false
	}
}

// tryTakeSlot is takeSlot that does not wait.
func (m *admission) tryTakeSlot() bool {
	select {
	case m.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// crowded reports whether all slots are taken.
func (m *admission) crowded() bool { return len(m.slots) == cap(m.slots) }

// freeSlot gives a slot back.
func (m *admission) freeSlot() { <-m.slots }
