package engine

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

// EngineOptions configure an [Engine]. The zero value works.
type EngineOptions struct {
	// Loops is the number of gnet event loops; 0 means GOMAXPROCS.
	Loops int
	// Logger gets what is not an event; nil is silent. That is refused connections, why attempts to
	// connect fail, and gnet's own lines. Of attempts that fail in a row the first is told, then each
	// that fails for a reason of another kind; at the level Debug, all of them.
	Logger *slog.Logger
}

// ConnectOptions configure a dialed session. The zero value works. They are copied, and never
// written to.
type ConnectOptions struct {
	// ReadBuffer bounds what waits for the user; zero means Fixed(128), 1 MiB.
	ReadBuffer session.Buffer
	// WriteBuffer bounds what waits for the peer; zero means Fixed(128), 4 MiB.
	WriteBuffer session.Buffer
	// HeartbeatPeriod is how long nothing is sent before a heartbeat goes out; 0 means 5 s, and less
	// than 1 ms is an error.
	// Heartbeats cannot be turned off. For a Codec whose peers do not know them, a very long period
	// has that effect; TCP alone then finds a peer that is gone.
	HeartbeatPeriod time.Duration
	// HeartbeatTimeout is how long nothing may be received; 0 means 4 × HeartbeatPeriod. Less than
	// twice HeartbeatPeriod is an error. A process that was stopped itself, as a laptop with its lid
	// closed, gives the peer one HeartbeatPeriod more when it goes on.
	HeartbeatTimeout time.Duration
	// MaxPayload is the largest message in bytes, both ways; 0 means 4 MiB, and 2³¹−1 is the
	// maximum. What Codec cannot announce is too large anyway.
	MaxPayload int
	// Codec is the framing, the same at both ends; zero means a four-byte big-endian length.
	Codec codec.Format
	// TLS makes the session speak TLS, as a client; an empty ServerName means the dialed host's.
	TLS *tls.Config
	// Linger is how long Close may flush, and dial if there is no connection to flush to; 0 means
	// 5 s.
	Linger time.Duration
	// OnEvent gets the session's events instead of ReadChan and Recv, and a payload is valid only
	// until it returns. A payload may be given to Send of the same session before that; clone it
	// for anything else, also for WriteChan. OnEvent is called for one event at a time, in order,
	// on a pool of goroutines. It may block. A panic in it ends the program.
	OnEvent func(*session.Session, session.Event)
	// Inline runs OnEvent on the event loop itself, where it must not block. The payload aliases
	// the read buffer. Send does not wait there: what one callback sends may pass WriteBuffer, and
	// when it has, the session leaves the loop, and its callbacks may block from then on.
	// Disconnected and Closed may come from other goroutines, but never two callbacks at once.
	Inline bool

	// Backoff is the wait before an attempt to connect again; zero means 100 ms, ×1.6, up to 5 s,
	// ±20 %.
	// It begins anew after a connection that has proved itself: a frame was received on it, be it a
	// heartbeat. However long a connection lasted without one, it is a failed attempt.
	Backoff reconnect.Backoff
	// DialTimeout bounds one dial with its TLS handshake, and one call of Resolve; 0 means 5 s.
	DialTimeout time.Duration
	// Addrs are further endpoints, tried in turn after the first, beginning with the one whose
	// connection proved itself last (see Backoff).
	Addrs []string
	// Resolve, if set, is asked for the endpoints before every attempt, instead of the address,
	// which may then be empty, and of Addrs. An answer that differs from the last one is tried from
	// its beginning. The context ends after DialTimeout: a call that goes on is abandoned, which is a
	// failed attempt, and there is no further call until it has returned.
	Resolve func(context.Context) ([]string, error)
	// MaxAttempts is the number of failed attempts in a row after which the session is Closed, with
	// the last error; 0 means never. An attempt tries every endpoint once. One whose connection
	// ended before it had proved itself (see Backoff) has failed, too: so an endpoint that accepts
	// connections and says nothing counts after HeartbeatTimeout, and the next one is tried.
	MaxAttempts int
}

// ListenOptions configure a listener's or a handler's sessions. The zero value works. They are
// copied, and never written to.
type ListenOptions struct {
	// ReadBuffer bounds what waits for the user; zero means Fixed(128), 1 MiB.
	ReadBuffer session.Buffer
	// WriteBuffer bounds what waits for the peer; zero means Fixed(128), 4 MiB.
	WriteBuffer session.Buffer
	// HeartbeatPeriod is how long nothing is sent before a heartbeat goes out; 0 means 5 s, and less
	// than 1 ms is an error.
	// Heartbeats cannot be turned off. For a Codec whose peers do not know them, a very long period
	// has that effect; TCP alone then finds a peer that is gone.
	HeartbeatPeriod time.Duration
	// NoGreeting turns off the heartbeat that is sent as soon as a session is connected, by which its
	// peer knows at once that it has reached a server that works, and not only a port that accepts.
	// Set it for peers that take no heartbeats, and for those that send and close without reading:
	// a system that closes a connection with unread bytes resets it, which loses what was under way.
	NoGreeting bool
	// HeartbeatTimeout is how long nothing may be received; 0 means 4 × HeartbeatPeriod. Less than
	// twice HeartbeatPeriod is an error. A process that was stopped itself, as a laptop with its lid
	// closed, gives the peer one HeartbeatPeriod more when it goes on.
	HeartbeatTimeout time.Duration
	// MaxPayload is the largest message in bytes, both ways; 0 means 4 MiB, and 2³¹−1 is the
	// maximum. What Codec cannot announce is too large anyway.
	MaxPayload int
	// Codec is the framing, the same at both ends; zero means a four-byte big-endian length.
	Codec codec.Format
	// TLS makes the sessions speak TLS, as a server; it needs a certificate. A handshake may
	// take 5 s.
	TLS *tls.Config
	// Linger is how long Close may flush; 0 means 5 s.
	Linger time.Duration
	// OnEvent gets the sessions' events instead of ReadChan and Recv, and a payload is valid only
	// until it returns. A payload may be given to Send of the same session before that; clone it
	// for anything else, also for WriteChan. OnEvent is called for one event of a session at a
	// time, in order, on a pool of goroutines. It may block. A panic in it ends the program. The
	// sessions announce themselves by their Connected event, and AcceptChan stays empty.
	OnEvent func(*session.Session, session.Event)
	// Inline runs OnEvent on the event loop itself, where it must not block. The payload aliases
	// the read buffer. Send does not wait there: what one callback sends may pass WriteBuffer, and
	// when it has, the session leaves the loop, and its callbacks may block from then on. Closed
	// may come from another goroutine, but never two callbacks at once.
	Inline bool

	// AcceptBuffer is the number of sessions that may wait in AcceptChan; 0 means 128, and 2²⁰ is
	// the maximum. While it is full, a Listener pauses accepting, and a Handler refuses
	// connections.
	AcceptBuffer int
	// MaxSessions caps the sessions open at once: further connections are closed; 0 means no cap.
	MaxSessions int
	// Authorize may refuse a connection by an error; it must neither read nor write. It runs off
	// the event loop, after the TLS handshake; conn is a *tls.Conn then. Nothing bounds the time it
	// takes. A Listener authorizes up to 128 connections at a time, and accepts no more meanwhile.
	Authorize func(conn net.Conn) error
}
