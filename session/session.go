package session

import (
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync/codec"
)

// Config is what the sessions of one listener, or one dialed session, have in common. It is
// resolved: no field stands for a default. It is never written to.
type Config struct {
	ReadBuffer, WriteBuffer           Buffer                // inbound, outbound
	HeartbeatPeriod, HeartbeatTimeout time.Duration         // of silence: ours, the peer's
	Linger, WriteTimeout              time.Duration         // a WriteTimeout of 0 is none
	MaxPayload                        int                   // in bytes, both ways
	MinRate                           int                   // bytes a second of a frame that began; 0: any
	Assembly                          *Assembly             // of the engine; nil: no bound
	Format                            codec.Format          // of the wire
	OnEvent                           func(*Session, Event) // nil: events wait to be read
	Inline                            bool                  // OnEvent runs on the event loop
	Greets                            bool                  // an accepted session sends a heartbeat at once
	AwaitPeer                         bool                  // a dialed one waits for its peer's first word
	Start                             time.Time             // from which the sessions' clocks count
	Host                              Host                  // the engine
	Group                             *Group                // of all sessions of that name; may be nil
	History                           *History              // of the engine; may be nil
	Log                               *slog.Logger          // nil: there is nobody to tell
	Name                              string                // of all its sessions, for those who look

	// These are of sessions that can be resumed. Unacked bounds what is kept until the peer has it.
	Resume     bool
	Unacked    Buffer
	ResendLost bool // a dialed session sends again what may be lost when it starts over

	// These are of dialed sessions. Hello returns their first words, and may be nil. WhileDown says
	// what happens to messages while there is no connection.
	Hello     func(epoch uint64) [][]byte
	WhileDown WhileDown
}

// Session is a message channel to one peer. It stays valid while the network comes and goes: a
// dialed session reconnects, an accepted one ends with its connection. All methods are safe for
// concurrent use.
type Session struct {
	cfg      *Config
	id       uint64
	dial     Redialer      // nil for an accepted session without Resume
	onClosed func()        // may be nil
	identity string        // of the peer of an accepted session
	hand     atomic.Uint32 // a value of type hand, of the consumer
	in       *inbox        // an object of its own: other processors use it than use the rest

	mu sync.Mutex // guards all below. Lock order: see the package comment
	life
	out    outbox
	cork   cork
	proven bool    // the last connection had proved itself
	epoch  uint64  // of the last connection
	opened int64   // when the session was made
	linger *linger // of a closing session
	failed error   // of the last failed dial or lost connection

	local, remote net.Addr
	tls           *tls.ConnectionState // of the last connection; nil: it does not speak TLS
	ends          *ends                // of those who wait for it; made by the first
	w             *writeChan           // made by the first WriteChan
	members       *Member              // a list: where the session is sent what is broadcast
	hasLeft       bool                 // all but the host know that it has closed, see leave
	lastSource    uint32               // of a Member
	value         any
	stats         counters
	past          past
	resume        *resumption // nil without Resume
	journal       *journal    // nil without a logger
}

// New returns a session in the state connecting. It is an accepted one unless [Driver.Dial] is
// called. remote stands in for the peer's address until the session connects.
func New(id uint64, cfg *Config, remote net.Addr) *Session {
	s := &Session{cfg: cfg, id: id, remote: remote, local: unbound{remote.Network()}}
	s.opened = s.now()
	s.in = &inbox{limit: &cfg.ReadBuffer, kept: block{format: cfg.Format}}
	if cfg.OnEvent != nil {
		s.in.runner = new(runner)
	}
	if cfg.Log != nil {
		s.journal = new(journal)
	}
	return s
}

// unbound is our address before the first connection.
type unbound struct{ network string }

func (u unbound) Network() string { return u.network }
func (unbound) String() string    { return "" }

// now is the session's clock: monotonic, and faked inside synctest.
func (s *Session) now() int64 { return int64(time.Since(s.cfg.Start)) }

// ID returns a number that no other session of the engine has.
func (s *Session) ID() uint64 { return s.id }

// Name returns the label that the options gave the session: see their field Name.
func (s *Session) Name() string { return s.cfg.Name }

// State returns where the session stands.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// RemoteAddr returns the peer's address on the current connection, or on the last one; before the
// first it is the address the session dials.
func (s *Session) RemoteAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remote
}

// LocalAddr returns our address on the current connection, or on the last one; before the first its
// String is empty.
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
