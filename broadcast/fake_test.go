package broadcast

import (
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// host runs callbacks in goroutines, and keeps no time.
type host struct{}

func (host) Dispatch(d session.Driver)                    { go d.RunCallbacks() }
func (host) Forget(session.Driver)                        {}
func (host) Tick(*session.Conn, time.Time) session.Ticker { return idle{} }
func (idle) Sooner(time.Time)                             {}
func (idle) Stop()                                        {}
func (addr) Network() string                              { return "fake" }
func (addr) String() string                               { return "fake" }
func (*link) Finish(time.Time)                            {}
func (*link) Pulse() (session.Pulse, bool)                { return session.Pulse{}, false }
func (*link) Backlog() session.Backlog                    { return session.Backlog{} }
func (*link) Addrs() (local, remote net.Addr)             { return addr{}, addr{} }
func (*link) TLS() *tls.ConnectionState                   { return nil }
func (*redialer) Redial(bool, error)                      {}
func (*redialer) Kick()                                   {}
func (*redialer) Stop()                                   {}

type (
	idle     struct{}
	addr     struct{}
	redialer struct{}
)

// link is a connection to a peer that reads all, or that reads nothing while it is shut.
type link struct {
	mu     sync.Mutex
	cond   *sync.Cond
	shut   bool
	closed bool
	keep   bool
	got    []byte
	writes int
}

func newLink(shut bool) *link {
	l := &link{shut: shut, keep: true}
	l.cond = sync.NewCond(&l.mu)
	return l
}

func (l *link) Write(bufs [][]byte, wait bool) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes++
	for l.shut && wait && !l.closed {
		l.cond.Wait()
	}
	if l.closed {
		return 0, net.ErrClosed
	}
	if l.shut {
		return 0, nil
	}
	for _, b := range bufs {
		n += len(b)
		if l.keep {
			l.got = append(l.got, b...)
		}
	}
	return n, nil
}

func (l *link) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.cond.Broadcast()
}

func (l *link) open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shut = false
	l.cond.Broadcast()
}

// messages returns what the peer has, on the default wire.
func (l *link) messages(t testing.TB) (all []string) { return l.messagesIn(t, codec.Format{}) }

// messagesIn returns them on any wire.
func (l *link) messagesIn(t testing.TB, f codec.Format) (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := codec.NewDecoder(f, 1<<20)
	for p := l.got; len(p) > 0; {
		f, n, complete, err := d.Next(p)
		require.NoError(t, err)
		if p = p[n:]; complete && len(f.Payload) > 0 {
			all = append(all, string(f.Payload))
		}
	}
	return all
}

var lastID struct {
	sync.Mutex
	n uint64
}

// newSession returns an accepted session, or a dialed one, without a connection.
func newSession(t testing.TB, dialed bool, change func(*session.Config)) *session.Session {
	cfg := &session.Config{
		Start: time.Now(), HeartbeatPeriod: time.Hour, HeartbeatTimeout: 4 * time.Hour, Linger: time.Second,
		MaxPayload: 1 << 20, Host: host{},
	}
	if change != nil {
		change(cfg)
	}
	var err error
	cfg.ReadBuffer, err = cfg.ReadBuffer.Resolve("ReadBuffer", session.DefaultReadBytes)
	require.NoError(t, err)
	cfg.WriteBuffer, err = cfg.WriteBuffer.Resolve("WriteBuffer", session.DefaultWriteBytes)
	require.NoError(t, err)
	lastID.Lock()
	lastID.n++
	s := session.New(lastID.n, cfg, addr{})
	lastID.Unlock()
	if dialed {
		session.Drive(s).Dial(&redialer{})
	}
	return s
}

// connected returns a session with a connection.
func connected(t testing.TB, l *link, change func(*session.Config)) *session.Session {
	s := newSession(t, false, change)
	require.NotNil(t, session.Drive(s).Attach(l, 0))
	return s
}

// buffer sets the size of the write buffer.
func buffer(n int) func(*session.Config) {
	return func(c *session.Config) { c.WriteBuffer = session.Fixed(n) }
}
