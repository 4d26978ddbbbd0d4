package engine

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"runtime"
	"time"
	"unicode/utf8"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/session"
)

// Defaults and bounds of the options.
const (
	DefaultHeartbeatPeriod  = 5 * time.Second
	timeoutPeriods          = 4 // default HeartbeatTimeout, in periods
	minTimeoutPeriods       = 2
	minHeartbeatPeriod      = time.Millisecond // less would be nothing but load
	maxTimeout              = time.Duration(math.MaxInt64)
	DefaultLinger           = 5 * time.Second
	DefaultDialTimeout      = 5 * time.Second
	DefaultHandshakeTimeout = 5 * time.Second
	DefaultAcceptBuffer     = 128     // sessions
	maxAcceptBuffer         = 1 << 20 // sessions
	DefaultMaxPending       = 128     // connections
	DefaultMinRate          = 240     // bytes a second
	DefaultAssemblyBudget   = 256 << 20
	maxLoopBuffer           = 1 << 30

	// DefaultLoopBuffer is the size of a loop's read buffer. A payload of which only a part was read
	// is copied once more: with gnet's 64 KiB that is nearly every one of 64 KiB, and their echo took
	// up to 1.7 times as long.
	DefaultLoopBuffer = 512 << 10
)

// plan is what connections of one kind are made by: options with the defaults filled in.
type plan struct {
	session.Config
	tls              *tls.Config
	log              *slog.Logger // nil is the host's
	authorize        func(net.Conn) error
	identify         func(context.Context, net.Conn) (string, error)
	handshakeTimeout time.Duration
	acceptBuffer     int
	maxPending       int
	maxSessions      int
	maxPerAddr       int
	resumeOnly       bool
	tokenPrefix      []byte
	route            routeFunc    // nil: none
	redirect         redirectFunc // nil: none
	resumeWindow     time.Duration
	maxDetached      int
	dialTimeout      time.Duration          // of Connect
	follow           func(addr string) bool // of Connect; nil: no redirect is followed
	socket           socket                 // of Connect and Listen
}

// resolve validates the options and fills in defaults.
func (o EngineOptions) resolve() (EngineOptions, error) {
	if o.Loops < 0 {
		return o, fmt.Errorf("netasync: Loops is %d, want 0 or more", o.Loops)
	}
	if o.Loops == 0 {
		o.Loops = runtime.GOMAXPROCS(0)
	}
	if o.AssemblyBudget < 0 {
		return o, fmt.Errorf("netasync: AssemblyBudget is %d, want 0 or more", o.AssemblyBudget)
	}
	if o.LoopBuffer < 0 || o.LoopBuffer > maxLoopBuffer {
		return o, fmt.Errorf("netasync: LoopBuffer is %d, want 0 to %d", o.LoopBuffer, maxLoopBuffer)
	}
	o.LoopBuffer = cmp.Or(o.LoopBuffer, DefaultLoopBuffer)
	o.AssemblyBudget = cmp.Or(o.AssemblyBudget, DefaultAssemblyBudget)
	o.Logger = guardLog(o.Logger)
	return o, nil
}

// resolve validates the options and makes a plan of them.
func (o *ListenOptions) resolve(host *host) (*plan, error) {
	p := &plan{
		Config: session.Config{
			ReadBuffer: o.ReadBuffer, WriteBuffer: o.WriteBuffer,
			HeartbeatPeriod: o.HeartbeatPeriod, HeartbeatTimeout: o.HeartbeatTimeout,
			MaxPayload: o.MaxPayload, Format: o.Codec, Linger: o.Linger,
			MinRate: o.MinRate, WriteTimeout: o.WriteTimeout,
			OnEvent: o.OnEvent, Inline: o.Inline,
			Host: host, Assembly: host.assembly, Name: o.Name,
			Greets: !o.NoGreeting,
		},
		tls: o.TLS.Clone(), authorize: o.Authorize, identify: o.Identify,
	}
	if o.Logger != nil {
		p.log = guardLog(o.Logger)
	}
	var err error
	if err = p.admit(o); err != nil {
		return nil, err
	}
	if err = p.resumable(o); err != nil {
		return nil, err
	}
	p.socket, err = newSocket(o.SocketReadBuffer, o.SocketWriteBuffer, o.KeepAlive)
	if err != nil {
		return nil, err
	}
	if p.tls != nil && !servesTLS(p.tls) {
		return nil, errors.New("netasync: TLS has no certificate to serve with")
	}
	return p, p.fill()
}

// admit validates what bounds admission and fills in its defaults.
func (p *plan) admit(o *ListenOptions) (err error) {
	p.handshakeTimeout, err = orDefault("HandshakeTimeout", o.HandshakeTimeout, DefaultHandshakeTimeout)
	if err != nil {
		return err
	}
	if o.AcceptBuffer < 0 || o.AcceptBuffer > maxAcceptBuffer {
		return fmt.Errorf("netasync: AcceptBuffer is %d, want 0 to %d", o.AcceptBuffer, maxAcceptBuffer)
	}
	for _, n := range []struct {
		field           string
		value, standard int
		to              *int
	}{
		{"AcceptBuffer", o.AcceptBuffer, DefaultAcceptBuffer, &p.acceptBuffer},
		{"MaxPending", o.MaxPending, DefaultMaxPending, &p.maxPending},
		{"MaxSessions", o.MaxSessions, 0, &p.maxSessions},
		{"MaxSessionsPerAddr", o.MaxSessionsPerAddr, 0, &p.maxPerAddr},
	} {
		if n.value < 0 {
			return fmt.Errorf("netasync: %s is %d, want 0 or more", n.field, n.value)
		}
		*n.to = cmp.Or(n.value, n.standard)
	}
	return nil
}

// servesTLS reports whether a server can find a certificate.
func servesTLS(c *tls.Config) bool {
	return len(c.Certificates) > 0 || c.GetCertificate != nil || c.GetConfigForClient != nil
}

// resolve validates the options and makes a plan of them. It fills in what the plan does not hold.
func (o *ConnectOptions) resolve(host *host) (*plan, error) {
	p := &plan{
		Config: session.Config{
			ReadBuffer: o.ReadBuffer, WriteBuffer: o.WriteBuffer,
			HeartbeatPeriod: o.HeartbeatPeriod, HeartbeatTimeout: o.HeartbeatTimeout,
			MaxPayload: o.MaxPayload, Format: o.Codec, Linger: o.Linger,
			MinRate: o.MinRate, WriteTimeout: o.WriteTimeout,
			OnEvent: o.OnEvent, Inline: o.Inline,
			Host: host, Assembly: host.assembly, Name: o.Name, AwaitPeer: o.AwaitPeer,
			Hello: guardHello(o.Hello), WhileDown: o.WhileDown,
		},
		tls: o.TLS.Clone(),
	}
	if o.WhileDown > session.Refuse {
		return nil, fmt.Errorf("netasync: WhileDown is %d, want Queue or Refuse", o.WhileDown)
	}
	var err error
	if o.Backoff, err = o.Backoff.Resolve(); err != nil {
		return nil, err
	}
	o.DialTimeout, err = orDefault("DialTimeout", o.DialTimeout, DefaultDialTimeout)
	if err != nil {
		return nil, err
	}
	p.dialTimeout = o.DialTimeout
	if err = p.resumes(o); err != nil {
		return nil, err
	}
	p.socket, err = newSocket(o.SocketReadBuffer, o.SocketWriteBuffer, o.KeepAlive)
	if err != nil {
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
	if !utf8.ValidString(c.Name) {
		return fmt.Errorf("netasync: Name is %q, want UTF-8", c.Name)
	}
	c.ReadBuffer, err = c.ReadBuffer.Resolve("ReadBuffer", session.DefaultReadBytes)
	if err != nil {
		return err
	}
	c.WriteBuffer, err = c.WriteBuffer.Resolve("WriteBuffer", session.DefaultWriteBytes)
	if err != nil {
		return err
	}
	if err = fillHeartbeat(c); err != nil {
		return err
	}
	if c.MinRate < -1 {
		return fmt.Errorf("netasync: MinRate is %d, want -1 or more", c.MinRate)
	}
	c.MinRate = max(0, cmp.Or(c.MinRate, DefaultMinRate)) // here 0 is none
	if c.Linger, err = orDefault("Linger", c.Linger, DefaultLinger); err != nil {
		return err
	}
	if c.WriteTimeout, err = orDefault("WriteTimeout", c.WriteTimeout, 0); err != nil {
		return err
	}
	if err = c.Format.Validate(); err != nil {
		return err
	}
	if c.MaxPayload < 0 || c.MaxPayload > codec.MaxPayloadLimit {
		return fmt.Errorf("netasync: MaxPayload is %d, want 0 to %d",
			c.MaxPayload, codec.MaxPayloadLimit)
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

// fillHeartbeat validates the two times of heartbeats and fills in their defaults.
func fillHeartbeat(c *session.Config) (err error) {
	c.HeartbeatPeriod, err = orDefault("HeartbeatPeriod", c.HeartbeatPeriod, DefaultHeartbeatPeriod)
	if err != nil {
		return err
	}
	if c.HeartbeatPeriod < minHeartbeatPeriod {
		return fmt.Errorf("netasync: HeartbeatPeriod is %v, want 0 or at least %v",
			c.HeartbeatPeriod, minHeartbeatPeriod)
	}
	standard := maxTimeout
	if c.HeartbeatPeriod <= maxTimeout/timeoutPeriods {
		standard = timeoutPeriods * c.HeartbeatPeriod
	}
	c.HeartbeatTimeout, err = orDefault("HeartbeatTimeout", c.HeartbeatTimeout, standard)
	if err != nil {
		return err
	}
	if c.HeartbeatTimeout/minTimeoutPeriods < c.HeartbeatPeriod && c.HeartbeatTimeout < maxTimeout {
		return fmt.Errorf("netasync: HeartbeatTimeout is %v, want at least twice HeartbeatPeriod, %v",
			c.HeartbeatTimeout, c.HeartbeatPeriod)
	}
	return nil
}

// orDefault returns d, or the standard value for 0. It refuses a negative d.
func orDefault(field string, d, standard time.Duration) (time.Duration, error) {
	if d < 0 {
		return 0, fmt.Errorf("netasync: %s is %v, want 0 or more", field, d)
	}
	if d == 0 {
		return standard, nil
	}
	return d, nil
}
