package engine

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/session"
)

// ListenOptions configure a listener's or a handler's sessions. The zero value works. They are
// copied, and never written to.
type ListenOptions struct {
	// Name is a label for all sessions with these options, in logs and wherever sessions are
	// counted: one word for what they are for, such as "telemetry", and none of each peer. It must be
	// UTF-8. Empty means the listener's address, or "handler".
	Name string
	// ReadBuffer bounds what waits for the user; zero means Fixed(128), 1 MiB. A session that leaves its
	// event loop, because its user is slow, may hold one read of the loop beside it, see LoopBuffer.
	ReadBuffer session.Buffer
	// WriteBuffer bounds what waits for the peer; zero means Fixed(128), 4 MiB.
	WriteBuffer session.Buffer
	// HeartbeatPeriod is how long nothing is sent before a heartbeat goes out; 0 means 5 s, and less
	// than 1 ms is an error. A peer whose heartbeats come more often gets ours as often, but not more
	// often than every 100 ms.
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
	// While both ends do not read, because their users are slow, no heartbeats get through. A peer
	// that vanishes then is found by TCP's own probes, within HeartbeatTimeout, 2 s at
	// least, and a period; before Linux 6.15 that takes up to four minutes.
	HeartbeatTimeout time.Duration
	// MinRate is how many bytes a second a message has to bring that has begun and is not complete,
	// averaged over HeartbeatTimeout; 0 means 240, and -1 is no bound. The connection of one that
	// has fallen behind by HeartbeatTimeout ends with ErrSlowFrame, however short the message: what
	// is missing of it could have come. So does that of a length of which a part came. Bytes do not
	// count ahead, and time in which we do not read, because our user is slow, does not count.
	MinRate int
	// WriteTimeout ends a connection with ErrWriteTimeout if the peer acknowledges nothing of what
	// waits for that long, or up to a quarter more; 0 means never. A slow host may acknowledge only
	// when half of its receive buffer is free again: leave it the time. Messages in WriteBuffer wait,
	// unless an Inline callback holds them back, and on Linux what the kernel has sent and the
	// peer's host has not acknowledged. Elsewhere, and for unix sockets, what the kernel takes counts
	// as acknowledged.
	WriteTimeout time.Duration
	// MaxPayload is the largest message in bytes, both ways; 0 means 4 MiB, and 2³¹−1 is the
	// maximum. What Codec cannot announce is too large anyway.
	MaxPayload int
	// Codec is the framing, the same at both ends; zero means a four-byte big-endian length.
	Codec codec.Format
	// TLS makes the sessions speak TLS, as a server; it needs a certificate.
	TLS *tls.Config
	// Linger is how long Close may flush; 0 means 5 s. It is also how long a session may go on for
	// answers whose peer has half-closed: a tenth of it after the user had the last message, and sent
	// the last answer, the session ends. A peer that has gone altogether is found by a heartbeat; with
	// NoGreeting none is sent, and the session goes on for that tenth.
	Linger time.Duration
	// OnEvent gets the sessions' events instead of ReadChan and Recv, and a payload is valid only
	// until it returns. A payload may be given to Send of the same session before that; clone it
	// for anything else, also for WriteChan. OnEvent is called for one event of a session at a
	// time, in order, on a pool of goroutines. It may block. The sessions announce themselves by
	// their Connected event, and AcceptChan stays empty. If it panics, or ends its goroutine by
	// runtime.Goexit as t.FailNow does, that ends the program, whoever recovers.
	OnEvent func(*session.Session, session.Event)
	// Inline runs OnEvent on the event loop itself, where it must not block. The payload aliases
	// the read buffer. Send does not wait there: what one callback sends may pass WriteBuffer, and
	// when it has, the session leaves the loop, and its callbacks may block from then on. Closed
	// may come from another goroutine, but never two callbacks at once.
	Inline bool

	// Logger gets the lines that EngineOptions describes, of these sessions and of connections that
	// are refused. nil means the engine's for a Listener, and is silent for a Handler, whose gnet
	// engine has a logger of its own, see gnet.WithLogger.
	Logger *slog.Logger

	// SocketReadBuffer and SocketWriteBuffer are the bytes that the operating system may hold of each
	// direction; 0 leaves that to the system, which adapts it to the connection. They are set before
	// listening, as the largest window is agreed on when TCP connects. Linux takes twice as much, for
	// what it needs itself, and caps that without an error: see net.core.rmem_max and wmem_max. They
	// have no effect on what is given to Serve, nor on a Handler: see gnet.WithSocketRecvBuffer.
	SocketReadBuffer, SocketWriteBuffer int
	// KeepAlive are TCP's own probes of connections on which nothing happens; zero means Go's default:
	// after 15 s. net.KeepAliveConfig{Idle: -1} turns them off, and all else needs Enable. Beside
	// heartbeats they matter little. They have no effect on what is given to Serve, nor on a Handler:
	// see gnet.WithTCPKeepAlive.
	KeepAlive net.KeepAliveConfig

	// AcceptBuffer is the number of sessions that may wait in AcceptChan; 0 means 128, and 2²⁰ is
	// the maximum. While it is full, a Listener pauses accepting when MaxPending more wait for it, and a
	// Handler refuses connections. With Resume that holds for peers that come back, too: who does not
	// read AcceptChan for as long as ResumeWindow loses sessions.
	AcceptBuffer int
	// MaxSessions caps the sessions open at once: further connections are closed; 0 means no cap.
	// Connections that are not sessions yet do not count.
	MaxSessions int
	// MaxSessionsPerAddr caps the sessions open at once from one IP address: further connections
	// are closed; 0 means no cap. Connections that are not sessions yet count here, so that one
	// address alone cannot use up MaxPending. Peers of a unix socket do not count.
	MaxSessionsPerAddr int
	// MaxPending is the number of connections that may be at work at once before they are sessions,
	// in a TLS handshake, in Authorize or Identify, with Resume before the peer has said anything, or
	// waiting for room in AcceptChan; 0 means 128.
	// The rest waits in the operating system's backlog for a Listener, which accepts no more, and is
	// closed by a Handler.
	MaxPending int
	// HandshakeTimeout is how long a connection may take to become a session, with its TLS
	// handshake, Authorize, Identify and what Resume asks, from when it was accepted, or handed to a
	// Handler; 0 means 5 s. Then it is closed. While MaxPending is reached, a TLS handshake may take a
	// quarter of it only, and with Resume a peer has 100 ms for its first words, where it has a second
	// otherwise.
	HandshakeTimeout time.Duration
	// Authorize may refuse a connection by an error; it must neither read nor write. It runs off
	// the event loop, after the TLS handshake; conn is a *tls.Conn then, whose NetConn is one of
	// ours: for the socket, ask that for its NetConn. Else it is a *net.TCPConn, a *net.UnixConn, or
	// what the listener given to Serve accepts. It runs for up to MaxPending connections at once. When
	// HandshakeTimeout is over, the connection is closed and
	// what Authorize returns no longer matters, but the call is not abandoned: it keeps its place
	// under MaxPending until it returns, so give what it waits for a time limit. If it panics, or
	// ends its goroutine by runtime.Goexit, that ends the program, and so do functions in TLS.
	Authorize func(conn net.Conn) error
	// Identify says who the peer is, which Session.Identity returns from the session's beginning, or
	// refuses the connection by an error. It is asked after Authorize, if both are set, and all that
	// is said there holds for it: it must neither read nor write, it keeps its place until it returns,
	// and conn is of the same types. The context ends with HandshakeTimeout, with the listener, and
	// with the engine: what is asked meanwhile, as a directory, should heed it. With Resume it is asked
	// on each connection, and only who is the same can resume a session; without Identify those are
	// the same whose certificates, if TLS verifies them, have the same subject.
	Identify func(ctx context.Context, conn net.Conn) (identity string, err error)

	// Resume lets peers resume sessions, see ConnectOptions.Resume. A session whose connection breaks is
	// Disconnected then, instead of Closed, and Connected again when its peer has come back; it is sent to
	// AcceptChan once, and keeps the options of the listener that made it, its places under MaxSessions and
	// MaxSessionsPerAddr, and its memory. Any listener of the Engine with Resume and the same Codec may
	// take it up again, and Listener.Close leaves it. TLS and plain connections do not mix.
	// Peers without Resume are served as ever, one that says nothing after a second: a server that
	// speaks first pays that second. For that the connections of a listener given to Serve must heed
	// SetReadDeadline. What the peer says first is read in a goroutine, within HandshakeTimeout: of a
	// Handler's, all connections leave the event loop for good, as with TLS.
	Resume bool
	// ResumeOnly refuses peers that do not ask for a session that can be resumed, with Resume.
	ResumeOnly bool
	// ResumeWindow is how long a session without a connection waits for its peer, with Resume; 0 means
	// 2 min. Then it is Closed, with ErrResumeExpired.
	ResumeWindow time.Duration
	// TokenPrefix is what the tokens of its sessions begin with, with Resume, at most 32 bytes: it
	// says, with Route, in which of many engines a session lives. Sixteen random bytes follow it. All
	// who can resume a session know it.
	TokenPrefix []byte
	// Route is asked, with Resume, about a peer whose session does not live here, as its token does
	// not begin with TokenPrefix. If it reports true it has taken conn, for Listener.ServeConn of the
	// engine where the session lives: hello is what was read of conn, and comes first there, and info
	// is who the peer is. If it reports false the peer is served here, by a session that begins. It is
	// called on a goroutine of the connection's, and should return within HandshakeTimeout, when conn
	// is closed; it must not read or write before it is sure to report true.
	Route func(token []byte, conn net.Conn, hello []byte, info ConnInfo) bool
	// Redirect is asked before Route, with Resume, about a peer whose session does not live here, and
	// that goes where it is told, see ConnectOptions.FollowRedirect: one that does not is never told. It
	// returns the host:port, of 250 bytes at most, at which the peer itself reaches the session's
	// engine; the peer is told, and its connection closed. If it returns "", or what is no such address,
	// Route is asked, as it is when the peer comes again because nothing came of it. So Redirect without
	// Route costs sessions where the address is wrong. It is called on a goroutine of the connection's,
	// and should be quick. If it panics, or ends its goroutine by runtime.Goexit, that ends the program.
	Redirect func(token []byte, info ConnInfo) (addr string)
	// Unacked bounds what was sent and is kept until the peer has it, with Resume; zero means 16,384
	// messages, 4 MiB, beside WriteBuffer. A full one pushes back, and its Policy must be PolicyFixed.
	// Acknowledgements come in the same stream as messages: who sends more than Unacked without reading,
	// to a peer that does so, too, waits for himself.
	Unacked session.Buffer
	// MaxDetached caps the sessions without a connection, with Resume: beyond it the one that has been
	// without one for longest is Closed with ErrResumeExpired. 0 means 10,000. Without a bound, who
	// connects and leaves 10,000 times a second would have 1.2 million sessions. Those go first whose
	// peer has not said anything yet after it was welcomed.
	MaxDetached int
}
