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
	// LoopBuffer is how many bytes a loop may read at once; 0 means 512 KiB. Each loop has a buffer of
	// that size, so 64 loops take 32 MiB. It is rounded up to a power of two, 1 KiB at least. A message
	// that does not come in one read is copied once more.
	LoopBuffer int
	// LockOSThread gives each loop a thread of the operating system to itself. It is for Inline
	// callbacks that call C which keeps data by thread, or that pin the thread to a processor. It makes
	// nothing faster by itself: what a loop and other goroutines say to each other takes longer.
	LockOSThread bool
	// Logger gets a line for what happens to sessions and to connections that become none; nil is
	// silent, and costs nothing. At the level Info: a session connected, lost its connection (error,
	// up, queued), is back (down, attempts) or closed; connecting failed, the first time, each time for
	// a reason of another kind, and when the number of attempts in a row reaches a power of two; a
	// connection was refused (reason), at most once a second for each reason (suppressed); a redirect was
	// not followed, as it led nowhere, and the session is back all the same (to); all is
	// drained. At Warn: a buffer drops messages, once for each connection or outage, whose end tells
	// how many (dropped); messages were not sent (unsent); accepting failed; Redirect returned what is
	// no address, the first time. At Debug: every failed
	// attempt, connections that end before they have proved themselves if the one before did so, too,
	// and what gnet's event loops say. Attributes are session, name, remote, epoch, error and those
	// above. No line has a payload, and what peers control is quoted unless it is plain text.
	//
	// The lines of one session come in order, and none after Shutdown has returned, which waits for
	// them. Lines are told by goroutines of their own, and no lock is held meanwhile: a handler may call
	// the session, and if it blocks, only further lines of that session wait, the last 64 of them, or
	// further refusals for that reason. Where sessions come and go by thousands, give their listener a
	// Logger whose level is Warn. If a handler panics, that ends the program.
	//
	// gnet's logger for the whole process stays as it is, and gets what gnet cannot say of one
	// engine: that waiting for the network failed.
	Logger *slog.Logger
	// AssemblyBudget is how many bytes of memory the unfinished messages of all the engine's sessions
	// may take; 0 means 256 MiB. Beyond it the one that came least far ends with its connection, by
	// ErrOverloaded: the one furthest behind its MinRate, so one that has stopped goes first, and
	// one that keeps coming is safe from those. A single message may take more if it is the only one.
	// A message takes at most twice what has arrived of it, or 7/3 when three quarters have.
	AssemblyBudget int
}

// ConnectOptions configure a dialed session. The zero value works. They are copied, and never
// written to.
type ConnectOptions struct {
	// Name is a label for all sessions with these options, in logs and wherever sessions are
	// counted: one word for what they are for, such as "telemetry", and none of each peer. It must be
	// UTF-8. Empty means "dialed".
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
	// unless AwaitPeer or an Inline callback holds them back, and on Linux what the kernel has sent and the
	// peer's host has not acknowledged. Elsewhere, and for unix sockets, what the kernel takes counts
	// as acknowledged.
	WriteTimeout time.Duration
	// MaxPayload is the largest message in bytes, both ways; 0 means 4 MiB, and 2³¹−1 is the
	// maximum. What Codec cannot announce is too large anyway.
	MaxPayload int
	// Codec is the framing, the same at both ends; zero means a four-byte big-endian length.
	Codec codec.Format
	// TLS makes the session speak TLS, as a client; an empty ServerName means the dialed host's. An
	// address without a host, such as unix:path, needs one, or InsecureSkipVerify.
	// If a function in it panics, or ends its goroutine by runtime.Goexit, that ends the program.
	TLS *tls.Config
	// Linger is how long Close may flush, and dial if there is no connection to flush to; 0 means
	// 5 s.
	Linger time.Duration
	// OnEvent gets the session's events instead of ReadChan and Recv, and a payload is valid only
	// until it returns. A payload may be given to Send of the same session before that; clone it
	// for anything else, also for WriteChan. OnEvent is called for one event at a time, in order,
	// on a pool of goroutines. It may block. If it panics, or ends its goroutine by runtime.Goexit
	// as t.FailNow does, that ends the program, whoever recovers.
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
	// Dial makes the connections, instead of a net.Dialer: through a proxy or a tunnel, or in memory.
	// network is tcp or unix, and address what is left of the session's address without unix:. The
	// context ends after DialTimeout: a call that goes on is abandoned, which is a failed attempt, and
	// there is no further call until it has returned. TLS, if set, is spoken over the connection. One
	// that is no *net.TCPConn and no *net.UnixConn is served off the event loops, by a goroutine of its
	// own. If it panics, or ends its goroutine by runtime.Goexit, that ends the program.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// SocketReadBuffer and SocketWriteBuffer are the bytes that the operating system may hold of each
	// direction; 0 leaves that to the system, which adapts it to the connection. They are set before
	// TCP connects, which is when the largest window is agreed on. Linux takes twice as much, for what
	// it needs itself, and caps that without an error: see net.core.rmem_max and wmem_max. They have
	// no effect with Dial.
	SocketReadBuffer, SocketWriteBuffer int
	// KeepAlive are TCP's own probes of connections on which nothing happens; zero means Go's default:
	// after 15 s. net.KeepAliveConfig{Idle: -1} turns them off, and all else needs Enable. Beside
	// heartbeats they matter little. They have no effect with Dial.
	KeepAlive net.KeepAliveConfig
	// Hello returns the first words of each connection, which go before all else, also before what was
	// queued: a login, a subscription. epoch is the connection's, as Event.Epoch. It is called once for
	// each connection, when that begins (with AwaitPeer, when the peer was heard), in a goroutine of its
	// own. Until it returns nothing is written, and the session cannot end: it must be quick, and not
	// wait for the session, as Flush and a Send to a full buffer do. What it returns belongs to the
	// library, may be nil, and may be of any number; WriteBuffer does not count it, nor do Stats and
	// Queued, and no policy drops it. What was not sent of it when the connection broke is not sent
	// again: the next connection has its own. A message that cannot be sent, empty or over MaxPayload,
	// ends the connection with that error before anything is written. If Hello panics, or ends its
	// goroutine by runtime.Goexit, that ends the program.
	Hello func(epoch uint64) [][]byte
	// WhileDown says what happens to messages while there is no connection; zero means Queue, which
	// keeps them for the next one. With Refuse, for messages that are worth nothing later, Send, TrySend
	// and SendBatch return ErrNotConnected then, at once, what is sent to WriteChan is discarded and
	// counted, and what was accepted and not sent when a connection broke comes back in Event.Unsent of
	// Disconnected or Closed.
	WhileDown session.WhileDown
	// AwaitPeer makes the session wait for a first word of the peer on each connection, be it a
	// heartbeat: before that, Connected does not come, and nothing is sent. So nothing is lost to a
	// proxy whose backend is dead, or to a server that refuses, and each outage has one Disconnected.
	// A connection that ends before, or brings nothing for HeartbeatTimeout, is a failed attempt.
	// Servers of this library greet, see ListenOptions.NoGreeting; one that says nothing before it
	// is asked, not even a heartbeat, cannot be reached with it: so a gnet server that looks at the
	// first bytes before it gives the connection to a Handler.
	AwaitPeer bool
	// Resume asks for a session that goes on where it was when a connection breaks: what both ends have
	// sent arrives once and in order, as long as both processes live and an outage is shorter than the
	// listener's ResumeWindow. Both ends must set it. A peer that does not speak resumption gets one
	// odd message and is left again: the attempt fails with ErrNotResumable. A connection begins with a
	// further round trip, and each heartbeat takes a few bytes more. Whether a connection has gone on
	// says Event.Resumed of Connected; where it has not, as when the server was started anew, Event.Lost
	// says how many messages may be lost. Each attempt begins with the endpoint that knows the session;
	// another one is tried when that cannot be reached, and begins a new session.
	// Hello is said only on connections that are not Resumed. Without TLS, who can read the network can
	// take the session over, as he could write into its connection.
	Resume bool
	// Unacked bounds what was sent and is kept until the peer has it, with Resume; zero means 16,384
	// messages, 4 MiB, beside WriteBuffer. A full one pushes back, and its Policy must be PolicyFixed.
	// On a long way it bounds the speed, to so much in a round trip. Acknowledgements come in the same
	// stream as messages: who sends more than Unacked without reading, to a peer that does so, too,
	// waits for himself.
	Unacked session.Buffer
	// ResendLost sends again, first, what may be lost when a session could not go on, with Resume: so
	// a message arrives at least once, instead of at most once.
	ResendLost bool
	// FollowRedirect is asked, with Resume, when a listener says that the session lives elsewhere: at addr,
	// a host:port, which comes from the peer. If it reports true the session goes there at once, also
	// through Dial: its token and its messages, both ways, are that host's then, as they are the listener's
	// that has named it. TLS demands what it demands of the endpoint, with the same TLS: a certificate for
	// the host of addr, unless TLS has a ServerName, which is that of all hosts then. Without TLS, who can
	// change what is on the network can send the session anywhere. A client may be made to dial hosts that
	// it alone reaches, and without TLS to write there up to 64 bytes that the listener chose, the token:
	// report true for names of your own only.
	// Where it reports false, or addr cannot be reached or does not know the session, the endpoint is
	// asked again in the same attempt, and passes the connection on itself: a redirect may cost half of
	// DialTimeout, or an attempt where the endpoint itself takes most of that, and no session. So it is
	// after a connection to addr that has not proved itself (see Backoff). A second redirect is not taken
	// in an attempt; the next outage begins with an endpoint of the user's again. nil follows none, and no
	// listener says so then. It must be quick.
	// If it panics, or ends its goroutine by runtime.Goexit, that ends the program.
	FollowRedirect func(addr string) bool
	// DialTimeout bounds one dial with its TLS handshake, and with Resume the answer to that; it bounds
	// one call of Resolve, too. What FollowRedirect leads to counts as one with that. 0 means 5 s.
	DialTimeout time.Duration
	// Addrs are further endpoints, tried in turn after the first, beginning with the one whose
	// connection proved itself last (see Backoff).
	Addrs []string
	// Resolve, if set, is asked for the endpoints before every attempt, instead of the address,
	// which may then be empty, and of Addrs. An answer that differs from the last one is tried from
	// its beginning. The context ends after DialTimeout: a call that goes on is abandoned, which is a
	// failed attempt, and there is no further call until it has returned.
	// If it panics, or ends its goroutine by runtime.Goexit, that ends the program.
	Resolve func(context.Context) ([]string, error)
	// MaxAttempts is the number of failed attempts in a row after which the session is Closed, with
	// the last error; 0 means never. An attempt tries every endpoint once. One whose connection
	// ended before it had proved itself (see Backoff) has failed, too: so an endpoint that accepts
	// connections and says nothing counts after HeartbeatTimeout, and the next one is tried.
	MaxAttempts int
}
