// Package engine connects sessions to the network: it dials and listens, runs gnet's event loops,
// moves connections off the loops and back, and shuts all of it down. It is the only room that
// knows gnet.
//
// Users meet all that is here under the names of the root package, as netasync.ConnectOptions, but
// for the constants, and for [NewEngineOn], which is for package netasynctest and may change.
//
// # Where to look
//
// An incoming connection takes this way: listener.go or handler.go, where drain.go may keep it for
// a while, by admission.go and arrival.go, which gauge.go and tether.go bound in number and time, to a session,
// then link.go, which is its connection from then on. A dialed one comes from engine.go, by redirect.go. What the two
// ends of a session with Resume say before that is in resume_dial.go and resume_accept.go, which read it
// by opening.go; resumptions.go knows the accepted ones, also while they have no connection. Sockets of
// ours are made by socket.go. Where functions of the user's are called, guard.go sees to it that
// they return.
package engine

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"iter"
	"net"
	"slices"
	"sync"

	"github.com/netasync/netasync/internal/guard"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

// Engine is where sessions live: its event loops serve their connections. It is safe for concurrent
// use, and ends by Shutdown.
type Engine struct {
	host   host
	ctx    context.Context // of all dialing; ends with the engine
	cancel context.CancelFunc
	dial   dialFunc   // of sessions without a Dial, and
	listen listenFunc // of Listen, where the network is not the system's; else nil

	mu        sync.Mutex // guards all below; a leaf
	closed    bool
	listeners map[*Listener]struct{}
}

// NewEngine returns an engine. Its event loops start with the first connection.
func NewEngine(o EngineOptions) (*Engine, error) {
	return NewEngineOn(o, nil, nil)
}

// NewEngineOn is NewEngine on another network than the system's, for package netasynctest: so Connect
// and Listen need no option there, and code of the user's that calls them is tested as it is. Both
// functions return when their context ends.
func NewEngineOn(o EngineOptions, dial dialFunc, listen listenFunc) (*Engine, error) {
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	e := &Engine{listeners: make(map[*Listener]struct{}), dial: dial, listen: listen}
	e.host.log, e.host.hold = o.Logger, defaultHoldTime
	e.host.assembly = session.NewAssembly(o.AssemblyBudget, e.host.goTracked)
	e.host.loops = &loops{host: &e.host, opts: o}
	e.host.enroll = e.host.loops.enroll
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return e, nil
}

// Connect returns a session that connects to addr, host:port or unix:path, and connects again
// whenever the connection is lost, until it is closed. It does not wait for the network: what
// happens there are events of the session. Errors are those of bad options, which name the field,
// and ErrShutdown.
func (e *Engine) Connect(addr string, o ConnectOptions) (*session.Session, error) {
	p, err := o.resolve(&e.host)
	if err != nil {
		return nil, err
	}
	e.host.equip(p, cmp.Or(o.Name, dialedName), e.host.log)
	endpoints, err := o.endpoints(addr)
	if err != nil {
		return nil, err
	}
	network, address := "tcp", addr
	if addr != "" {
		network, address, _ = splitAddr(addr)
	}
	way := &way{engine: e, dial: e.dialer(&o, p), plan: p}
	var supervisor *reconnect.Supervisor
	s := e.host.sessions.Add(func(id uint64) *session.Session {
		s := session.New(id, &p.Config, target{network, address})
		way.s = s
		supervisor = reconnect.NewSupervisor(e.ctx, reconnect.Plan{
			Backoff: o.Backoff, Timeout: o.DialTimeout, Attempts: o.MaxAttempts,
			Endpoints: endpoints,
			Begin:     session.Drive(s).Dialing,
			Dial:      way.connect,
			Stays:     p.staysWith(session.Drive(s)),
			Failed:    session.Drive(s).DialFailed,
			Tell:      e.host.tellFailure(s),
			GiveUp:    s.CloseNow,
			Go:        e.host.goTracked,
		})
		session.Drive(s).Dial(supervisor)
		if p.Resume {
			session.Drive(s).Resumable(0, resume.Keep{})
		}
		e.host.work.Add(1) // until Start, so that a shutdown that finds s waits for it
		return s
	})
	if s == nil {
		return nil, session.ErrShutdown
	}
	supervisor.Start()
	e.host.work.Done()
	return s, nil
}

// target is the address of a session that has not had a connection yet.
type target struct{ network, address string }

func (t target) Network() string { return t.network }
func (t target) String() string  { return t.address }

// endpoints returns what tells a supervisor where to connect.
func (o *ConnectOptions) endpoints(addr string) (func(context.Context) ([]string, error), error) {
	if o.Resolve != nil {
		return guardResolve(o.Resolve), nil
	}
	addrs := append([]string{addr}, o.Addrs...)
	for i, a := range addrs {
		if err := o.dialable(a); err != nil {
			if i > 0 {
				return nil, fmt.Errorf("netasync: Addrs[%d]: %w", i-1, err)
			}
			return nil, err
		}
	}
	return func(context.Context) ([]string, error) { return slices.Clone(addrs), nil }, nil
}

// dialable returns why an address can never be dialed.
func (o *ConnectOptions) dialable(addr string) error {
	network, address, err := splitAddr(addr)
	if err == nil && o.TLS != nil {
		_, err = serverName(o.TLS, network, address)
	}
	return err
}

// dialFunc makes connections, as net.Dialer.DialContext does.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// listenFunc makes listeners, as net.ListenConfig.Listen does.
type listenFunc = func(ctx context.Context, network, address string) (net.Listener, error)

// dialer returns what makes a session's connections. A Dial of the user's may not heed its context.
func (e *Engine) dialer(o *ConnectOptions, p *plan) dialFunc {
	if o.Dial == nil && e.dial != nil {
		return e.dial
	}
	if o.Dial == nil {
		return p.socket.dialer().DialContext
	}
	var calls reconnect.Call[net.Conn]
	dial := guardDial(o.Dial)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return calls.Do(ctx, e.host.goTracked, func(ctx context.Context) (net.Conn, error) {
			return dial(ctx, network, address)
		}, closeSoon)
	}
}

// clientTLS makes a connection a TLS connection. On an error it closes conn.
func clientTLS(conn net.Conn, config *tls.Config, network, address string) (net.Conn, error) {
	name, err := serverName(config, network, address)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if name != config.ServerName {
		config = config.Clone()
		config.ServerName = name
	}
	return tls.Client(&watched{Conn: conn}, config), nil
}

// handshake does that of TLS, unless it is over. On an error it closes the connection.
func handshake(ctx context.Context, t *tls.Conn) error {
	returned := false
	defer guard.MustReturn("a function of TLS", &returned)
	err := t.HandshakeContext(ctx)
	returned = true
	if err != nil {
		_ = t.NetConn().Close()
		return fmt.Errorf("netasync: tls: %w", err)
	}
	return nil
}

// Sessions returns the engine's sessions that have not closed, in no order.
func (e *Engine) Sessions() iter.Seq[*session.Session] { return e.host.sessions.All() }

// Totals returns the sums over the engine's sessions by their names, see ConnectOptions.Name, of those
// that have closed, too. They never go backwards. Names are kept as long as the engine.
func (e *Engine) Totals() iter.Seq2[string, session.Totals] { return e.host.sessions.Totals() }

// History returns what happened lately to the engine's sessions.
func (e *Engine) History() *session.History { return &e.host.history }

// Stats returns the engine's figures.
func (e *Engine) Stats() Stats { return e.host.stats() }
