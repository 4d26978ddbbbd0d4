package session

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
)

// fakeHost runs callbacks in goroutines and ticks by timers.
type fakeHost struct{}

func (fakeHost) Dispatch(d Driver) { go d.RunCallbacks() }
func (fakeHost) Forget(Driver)     {}
func (fakeHost) Tick(c *Conn, at time.Time) Ticker {
	t := new(fakeTicker)
	t.next(c, at)
	return t
}

type fakeTicker struct {
	mu      sync.Mutex
	stopped bool
	calling bool
	sooner  time.Time // noted while calling
	at      time.Time // of the timer
	timer   *time.Timer
}

func (t *fakeTicker) next(c *Conn, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	if t.calling && !t.sooner.IsZero() && t.sooner.Before(at) {
		at = t.sooner
	}
	t.calling, t.at = false, at
	t.timer = time.AfterFunc(time.Until(at), func() {
		t.mu.Lock()
		t.calling, t.sooner = true, time.Time{}
		t.mu.Unlock()
		if next := c.Tick(); !next.IsZero() {
			t.next(c, next)
		}
	})
}

func (t *fakeTicker) Sooner(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.calling:
		if t.sooner.IsZero() || at.Before(t.sooner) {
			t.sooner = at
		}
	case at.Before(t.at) && !t.stopped:
		t.at = at
		t.timer.Reset(time.Until(at))
	}
}

func (t *fakeTicker) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.timer.Stop()
}

// fakeDialer notes what it is asked for.
type fakeDialer struct{ redials chan bool }

func (d *fakeDialer) Redial(proven bool, _ error) { d.redials <- proven }
func (d *fakeDialer) Kick()                       {}
func (d *fakeDialer) Stop()                       {}

// fakeLink takes so many bytes, then blocks until it is closed or allowed more.
type fakeLink struct {
	mu     sync.Mutex
	more   *sync.Cond
	room   int
	got    []byte
	pulse  Pulse
	known  bool
	closed bool
	back   Backlog
}

func newFakeLink(room int) *fakeLink {
	l := &fakeLink{room: room}
	l.more = sync.NewCond(&l.mu)
	return l
}

func (l *fakeLink) allow(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.room += n
	l.more.Broadcast()
}

func (l *fakeLink) Write(bufs [][]byte, wait bool) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	total := 0
	for _, b := range bufs {
		for len(b) > 0 {
			if l.closed {
				return total, net.ErrClosed
			}
			n := min(len(b), l.room)
			l.got = append(l.got, b[:n]...)
			l.room -= n
			total += n
			b = b[n:]
			if len(b) > 0 {
				if !wait {
					return total, nil
				}
				l.more.Wait()
			}
		}
	}
	return total, nil
}

func (l *fakeLink) written() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]byte(nil), l.got...)
}

func (l *fakeLink) Finish(time.Time) {}

func (l *fakeLink) awaitClose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed {
		l.more.Wait()
	}
}

func (l *fakeLink) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.more.Broadcast()
}

func (l *fakeLink) Pulse() (Pulse, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pulse, l.known
}

func (l *fakeLink) Backlog() Backlog {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.back
}

func (l *fakeLink) hold(b Backlog) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.back = b
}

func (l *fakeLink) beat(p Pulse) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pulse, l.known = p, true
}

func (l *fakeLink) Addrs() (local, remote net.Addr) { return unbound{}, unbound{} }
func (l *fakeLink) TLS() *tls.ConnectionState       { return nil }

// sink is a link that takes everything.
type sink struct{ *fakeLink }

func newSink() *sink { return &sink{newFakeLink(0)} }

func (l *sink) Write(bufs [][]byte, _ bool) (int, error) {
	n := 0
	for _, b := range bufs {
		n += len(b)
	}
	return n, nil
}

var errCut = errors.New("cut by the test")

const unbounded = 1 << 30

// plain is the default wire.
var plain = codec.Format{}

// newFake returns a session with the given changes to its configuration.
func newFake(t testing.TB, dialed bool, change func(*Config)) (*Session, *fakeDialer) {
	t.Helper()
	cfg := &Config{
		Start:           time.Now(),
		HeartbeatPeriod: time.Second, HeartbeatTimeout: 4 * time.Second, Linger: time.Second,
		MaxPayload: codec.DefaultMaxPayload, Host: fakeHost{},
	}
	if change != nil {
		change(cfg)
	}
	var err error
	cfg.ReadBuffer, err = cfg.ReadBuffer.Resolve("ReadBuffer", DefaultReadBytes)
	require.NoError(t, err)
	cfg.WriteBuffer, err = cfg.WriteBuffer.Resolve("WriteBuffer", DefaultWriteBytes)
	require.NoError(t, err)
	dialer := &fakeDialer{make(chan bool, 10)}
	s := New(1, cfg, unbound{"fake"})
	if dialed {
		Drive(s).Dial(dialer)
	}
	return s, dialer
}

func recv(t *testing.T, s *Session) Event {
	t.Helper()
	ev, err := s.Recv(t.Context())
	require.NoError(t, err)
	return ev
}
