// Package session is the heart of the library: a session outlives its
// connections, queues messages in both directions, keeps time, and tells its
// user what happens as events. It sees a connection as a [Link] and the engine
// around it as a [Host]; it knows neither gnet nor how to dial.
//
// Every connection of a session has a number, its epoch. What comes late from
// a connection that is over carries the old number and is ignored.
package session

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync/codec"
)

// Config is what the sessions of one listener, or one dialed session, have in
// common. It is resolved: no field stands for a default. It is never written to.
type Config struct {
	ReadBuffer, WriteBuffer           Buffer
	HeartbeatPeriod, HeartbeatTimeout time.Duration
	Linger                            time.Duration
	MaxPayload                        int
	Format                            codec.Format
	OnEvent                           func(*Session, Event)
	Inline                            bool
	Start                             time.Time // from which the sessions' clocks count
	Host                              Host
}

// Session is a message channel to one peer. It stays valid while the network
// comes and goes: a dialed session reconnects, an accepted one ends with its
// connection. All methods are safe for concurrent use.
type Session struct {
	cfg      *Config
	id       uint64
	in       *inbox
	dial     Redialer // nil for an accepted session
	onClosed func()   // may be nil

	lastRead  atomic.Int64 // nanoseconds since Config.Start, as all instants here
	lastWrite atomic.Int64
	turnFull  atomic.Bool // so much was sent in a turn on an event loop that it has to be written first

	mu    sync.Mutex // guards all below. Lock order: mu, then the inbox's locks
	state stateMachine

	proven     bool // the current connection carried a frame or lasted a heartbeat period
	closing    bool // Close was called: new messages are refused
	sealed     bool // nothing will be added to out: flush it, then close
	doomed     bool // the session ends as soon as it is sealed, with cause
	finishing  bool // all is written: an end on the peer's side is no error any more
	ticking    bool // the host has a tick for us
	waiting    bool // patienceEnds will be called, unless company is stopped before
	turnCorked bool // the turn holds the flushing token
	turn       turn
	turns      uint32 // so far
	place      int32  // the host's: see Place

	epoch    uint64
	link     Link  // nil when there is no connection
	cause    error // why link went nil, or why the session is doomed
	opened   int64 // when the connection began
	out      outbox
	writeErr *writeFailure // the link takes no more; its reader will report the end
	company  *time.Timer   // calls patienceEnds; made when first needed
	linger   *linger       // of a closing session; nil if it has no connection

	local, remote net.Addr
	done          chan struct{} // made by the first Done
	w             *writeChan    // made by the first WriteChan
	value         any
	stats         counters

	flushFn func() // flush(true), bound once: a closure for each flush would be an allocation each
}

// writeFailure is why nothing can be written to a link.
type writeFailure struct {
	err error
	at  int64 // nanoseconds since Config.Start
}

// linger bounds the flush of a closing session.
type linger struct {
	end   time.Time
	timer *time.Timer // ends the flush then
}

// counters are a session's statistics. Session.mu guards them.
type counters struct{ sent, sentBytes, dropped, discarded, attempts uint64 }

// New returns a session in the state connecting. newDialer makes what brings it
// back; it is nil for an accepted session. network and address stand in for its addresses until it connects.
func New(id uint64, cfg *Config, newDialer func(*Session) Redialer, network, address string) *Session {
	s := &Session{
		cfg: cfg, id: id,
		in:     &inbox{limit: &cfg.ReadBuffer, format: &cfg.Format},
		remote: endpoint{network, address},
		local:  endpoint{network, ""},
	}
	s.flushFn = func() {
		runtime.Gosched() // lets senders who are at it go on: one write carries many messages
		s.flush(true)
	}
	if newDialer != nil {
		s.dial = newDialer(s)
	}
	return s
}

// now is the session's clock: monotonic, and faked inside synctest.
func (s *Session) now() int64 { return int64(time.Since(s.cfg.Start)) }

// ID returns a number that no other session of the engine has.
func (s *Session) ID() uint64 { return s.id }

// State returns where the session stands.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.now
}

// RemoteAddr returns the peer's address on the current connection, or on the
// last one; before the first it is the address the session dials.
func (s *Session) RemoteAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remote
}

// LocalAddr returns our address on the current connection, or on the last one;
// before the first its String is empty.
func (s *Session) LocalAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.local
}

// Value returns what SetValue stored, or nil.
func (s *Session) Value() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value
}

// SetValue stores data of the user's with the session.
func (s *Session) SetValue(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value = v
}

// Done returns a channel that is closed when the session has closed. Events
// may still wait to be read then.
func (s *Session) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doneLocked()
}

func (s *Session) doneLocked() chan struct{} {
	if s.done == nil {
		s.done = make(chan struct{})
		if s.state.now == StateClosed {
			close(s.done)
		}
	}
	return s.done
}

// RetryNow cuts the current back-off of a disconnected session short.
func (s *Session) RetryNow() {
	s.mu.Lock()
	waiting := s.state.now == StateDisconnected
	s.mu.Unlock()
	if waiting {
		s.dial.Kick()
	}
}

// Stats are figures about one session.
type Stats struct {
	Epoch                   uint64 // connections so far
	Attempts                uint64 // dials, successful or not
	Received, ReceivedBytes uint64 // messages and their payload bytes from the peer
	Sent, SentBytes         uint64 // messages and their payload bytes given to the operating system
	Dropped                 uint64 // messages dropped by Dropping or Sliding buffers, both directions
	Discarded               uint64 // messages from WriteChan that could not be accepted: empty, too large, too late
	Queued                  int    // messages waiting to be sent, without those that WriteChan holds; after Closed, never sent
	Unread                  int    // messages waiting for the user, without those that ReadChan holds and those of a batch that Recv hands out
}

// Stats returns the session's figures.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{
		Epoch: s.epoch, Attempts: s.stats.attempts,
		Sent: s.stats.sent, SentBytes: s.stats.sentBytes,
		Dropped: s.stats.dropped, Discarded: s.stats.discarded,
		Queued: s.out.messages,
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
