package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"runtime"
	"time"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

// Defaults of the options.
const (
	DefaultHeartbeatPeriod = 5 * time.Second
	timeoutPeriods         = 4 // default HeartbeatTimeout, in periods
	minTimeoutPeriods      = 2
	DefaultLinger          = 5 * time.Second
	DefaultDialTimeout     = 5 * time.Second
	DefaultAcceptBuffer    = 128     // sessions
	mostAcceptBuffer       = 1 << 20 // sessions

	handshakeTimeout = 5 * time.Second // of an accepted TLS connection
)

// EngineOptions configure an [Engine]. The zero value works.
type EngineOptions struct {
	// Loops is the number of gnet event loops; 0 means GOMAXPROCS.
	Loops int
	// Logger gets what is not an event: refused connections, failed attempts, gnet's own lines. Nil is silent.
	Logger *slog.Logger
}

// ConnectOptions configure a dialed session. The zero value works. They are
// copied, and never written to.
type ConnectOptions struct {
	// ReadBuffer bounds what waits for the user; zero means Fixed(128), 1 MiB.
	ReadBuffer session.Buffer
	// WriteBuffer bounds what waits for the peer; zero means Fixed(128), 4 MiB.
	WriteBuffer session.Buffer
	// HeartbeatPeriod is how long nothing is sent before a heartbeat goes out; 0 means 5 s. There is no switch to turn heartbeats off,
	// for a Codec whose peers do not know them: a very long period has that effect, and a silent peer is then found by TCP alone.
	HeartbeatPeriod time.Duration
	// HeartbeatTimeout is how long nothing may be received; 0 means 4 × HeartbeatPeriod, and less than twice that is an error.
	HeartbeatTimeout time.Duration
	// MaxPayload is the largest message in bytes, both ways; 0 means 4 MiB, and 2³¹−1 is the most. What Codec cannot announce is too large anyway.
	MaxPayload int
	// Codec is the framing; zero means a four-byte big-endian length. Both ends must agree.
	Codec codec.Format
	// TLS makes the session speak TLS, as a client; an empty ServerName means the dialed host's.
	TLS *tls.Config
	// Linger is how long Close may flush; 0 means 5 s.
	Linger time.Duration
	// OnEvent gets the session's events instead of ReadChan and Recv, one at a time and in order, on a pool of goroutines. It may block;
	// a panic in it ends the program.
	// A payload is valid until it returns, and may be given to Send of the same session; clone it for anything else, also for WriteChan.
	OnEvent func(*session.Session, session.Event)
	// Inline runs OnEvent on the event loop itself, with a payload that aliases the read buffer. It must not block. Send does not wait there: what
	// one callback sends may pass WriteBuffer, and when it has, the session leaves the loop, where its callbacks may block.
	// Disconnected and Closed may come from other goroutines, but never two callbacks at once.
	Inline bool

	// Backoff is the wait before an attempt to connect again; zero means 100 ms, ×1.6, up to 5 s. It begins anew after a connection that
	// has proved itself: a frame came, be it a heartbeat, or it lasted for HeartbeatPeriod.
	Backoff reconnect.Backoff
	// DialTimeout bounds one dial, with its TLS handshake, and one call of Resolve; 0 means 5 s.
	DialTimeout time.Duration
	// Addrs are further endpoints, tried in turn after the first.
	Addrs []string
	// Resolve, if set, is asked for the endpoints before every attempt, instead of the address, which may then be empty, and Addrs.
	Resolve func(context.Context) ([]string, error)
	// MaxAttempts is the number of failed attempts in a row after which the session is Closed, with
	// the last error; 0 means never. An attempt tries every endpoint once; one whose connection ended before it
	// had proved itself (see Backoff) has failed, too.
	MaxAttempts int
}

// ListenOptions configure a listener's sessions. The zero value works. They are
// copied, and never written to.
type ListenOptions struct {
	// ReadBuffer bounds what waits for the user; zero means Fixed(128), 1 MiB.
	ReadBuffer session.Buffer
	// WriteBuffer bounds what waits for the peer; zero means Fixed(128), 4 MiB.
	WriteBuffer session.Buffer
	// HeartbeatPeriod is how long nothing is sent before a heartbeat goes out; 0 means 5 s. There is no switch to turn heartbeats off,
	// for a Codec whose peers do not know them: a very long period has that effect, and a silent peer is then found by TCP alone.
	HeartbeatPeriod time.Duration
	// HeartbeatTimeout is how long nothing may be received; 0 means 4 × HeartbeatPeriod, and less than twice that is an error.
	HeartbeatTimeout time.Duration
	// MaxPayload is the largest message in bytes, both ways; 0 means 4 MiB, and 2³¹−1 is the most. What Codec cannot announce is too large anyway.
	MaxPayload int
	// Codec is the framing; zero means a four-byte big-endian length. Both ends must agree.
	Codec codec.Format
	// TLS makes the sessions speak TLS, as a server; it needs a certificate. A handshake may take 5 s.
	TLS *tls.Config
	// Linger is how long Close may flush; 0 means 5 s.
	Linger time.Duration
	// OnEvent gets the sessions' events instead of ReadChan and Recv, one at a time and in order for each session, on a pool of goroutines. It may block;
	// a panic in it ends the program.
	// A payload is valid until it returns, and may be given to Send of the same session; clone it for anything else, also for WriteChan.
	// The sessions announce themselves by their Connected event, and AcceptChan stays empty.
	OnEvent func(*session.Session, session.Event)
	// Inline runs OnEvent on the event loop itself, with a payload that aliases the read buffer. It must not block. Send does not wait there: what
	// one callback sends may pass WriteBuffer, and when it has, the session leaves the loop, where its callbacks may block.
	// Closed may come from another goroutine, but never two callbacks at once.
	Inline bool

	// AcceptBuffer is the number of sessions that may wait in AcceptChan; 0 means 128, and 2²⁰ is the most. When it is full, a Listener pauses
	// accepting, and a Handler refuses connections.
	AcceptBuffer int
	// MaxSessions caps the sessions open at once: further connections are closed at once; 0 means no cap.
	MaxSessions int
	// Authorize may refuse a connection by an error. It runs off the event loop, after the TLS handshake; conn is a *tls.Conn then. It must not read or write.
	// Nothing bounds the time it takes; up to 128 connections at a time are authorized, and then no more are accepted.
	Authorize func(conn net.Conn) error
}

// plan is a connection recipe: options with the defaults filled in.
type plan struct {
	session.Config
	tls          *tls.Config
	authorize    func(net.Conn) error
	acceptBuffer int
	maxSessions  int
}

func (o EngineOptions) resolve() (EngineOptions, error) {
	if o.Loops < 0 {
		return o, fmt.Errorf("netasync: Loops is %d, want 0 or more", o.Loops)
	}
	if o.Loops == 0 {
		o.Loops = runtime.GOMAXPROCS(0)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func (o *ListenOptions) resolve(host session.Host) (*plan, error) {
	p := &plan{
		Config: session.Config{
			ReadBuffer: o.ReadBuffer, WriteBuffer: o.WriteBuffer,
			HeartbeatPeriod: o.HeartbeatPeriod, HeartbeatTimeout: o.HeartbeatTimeout,
			MaxPayload: o.MaxPayload, Format: o.Codec, Linger: o.Linger,
			OnEvent: o.OnEvent, Inline: o.Inline, Host: host,
		},
		tls: o.TLS.Clone(), authorize: o.Authorize,
		acceptBuffer: o.AcceptBuffer, maxSessions: o.MaxSessions,
	}
	if p.acceptBuffer < 0 || p.acceptBuffer > mostAcceptBuffer {
		return nil, fmt.Errorf("netasync: AcceptBuffer is %d, want 0 to %d", o.AcceptBuffer, mostAcceptBuffer)
	}
	if p.acceptBuffer == 0 {
		p.acceptBuffer = DefaultAcceptBuffer
	}
	if p.maxSessions < 0 {
		return nil, fmt.Errorf("netasync: MaxSessions is %d, want 0 or more", o.MaxSessions)
	}
	if t := p.tls; t != nil && len(t.Certificates) == 0 && t.GetCertificate == nil && t.GetConfigForClient == nil {
		return nil, errors.New("netasync: TLS has no certificate to serve with")
	}
	return p, p.fill()
}

func (o *ConnectOptions) resolve(host session.Host) (*plan, error) {
	p := &plan{
		Config: session.Config{
			ReadBuffer: o.ReadBuffer, WriteBuffer: o.WriteBuffer,
			HeartbeatPeriod: o.HeartbeatPeriod, HeartbeatTimeout: o.HeartbeatTimeout,
			MaxPayload: o.MaxPayload, Format: o.Codec, Linger: o.Linger,
			OnEvent: o.OnEvent, Inline: o.Inline, Host: host,
		},
		tls: o.TLS.Clone(),
	}
	var err error
	if o.Backoff, err = o.Backoff.Resolve(); err != nil {
		return nil, err
	}
	if o.DialTimeout, err = orDefault("DialTimeout", o.DialTimeout, DefaultDialTimeout); err != nil {
		return nil, err
	}
	if o.MaxAttempts < 0 {
		return nil, fmt.Errorf("netasync: MaxAttempts is %d, want 0 or more", o.MaxAttempts)
	}
	return p, p.fill()
}

// fill validates what connect and listen have in common and fills in defaults.
func (p *plan) fill() (err error) {
	c := &p.Config
	c.Start = time.Now()
	if c.ReadBuffer, err = c.ReadBuffer.Resolve("ReadBuffer", session.DefaultReadBytes); err != nil {
		return err
	}
	if c.WriteBuffer, err = c.WriteBuffer.Resolve("WriteBuffer", session.DefaultWriteBytes); err != nil {
		return err
	}
	if c.HeartbeatPeriod, err = orDefault("HeartbeatPeriod", c.HeartbeatPeriod, DefaultHeartbeatPeriod); err != nil {
		return err
	}
	const longest = time.Duration(math.MaxInt64)
	patient := longest
	if c.HeartbeatPeriod <= longest/timeoutPeriods {
		patient = timeoutPeriods * c.HeartbeatPeriod
	}
	if c.HeartbeatTimeout, err = orDefault("HeartbeatTimeout", c.HeartbeatTimeout, patient); err != nil {
		return err
	}
	if c.HeartbeatTimeout/minTimeoutPeriods < c.HeartbeatPeriod && c.HeartbeatTimeout < longest {
		return fmt.Errorf("netasync: HeartbeatTimeout is %v, want at least twice HeartbeatPeriod, %v", c.HeartbeatTimeout, c.HeartbeatPeriod)
	}
	if c.Linger, err = orDefault("Linger", c.Linger, DefaultLinger); err != nil {
		return err
	}
	if err = c.Format.Validate(); err != nil {
		return err
	}
	if c.MaxPayload < 0 || c.MaxPayload > codec.MaxPayloadLimit {
		return fmt.Errorf("netasync: MaxPayload is %d, want 0 to %d", c.MaxPayload, codec.MaxPayloadLimit)
	}
	if c.MaxPayload == 0 {
		c.MaxPayload = codec.DefaultMaxPayload
	}
	c.MaxPayload = min(c.MaxPayload, c.Format.Limit())
	if c.Inline && c.OnEvent == nil {
		return errors.New("netasync: Inline is set without OnEvent")
	}
	return nil
}

func orDefault(field string, d, standard time.Duration) (time.Duration, error) {
	if d < 0 {
		return 0, fmt.Errorf("netasync: %s is %v, want 0 or more", field, d)
	}
	if d == 0 {
		return standard, nil
	}
	return d, nil
}
