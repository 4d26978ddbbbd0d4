//go:build unix

package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/panjf2000/gnet/v2"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/netasync/netasync/session"
)

// lines counts the refusals that are logged, and keeps the last reason.
type lines struct {
	slog.Handler
	refused atomic.Int32
	because atomic.Value // of reason
}

type reason struct{ error }

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "netasync: connection refused" {
		r.Attrs(func(a slog.Attr) bool {
			if err, ok := a.Value.Any().(error); ok {
				l.because.Store(reason{err})
			}
			return true
		})
		l.refused.Add(1)
	}
	return nil
}

// entrance is a Listener or a Handler as its peers see it.
type entrance struct {
	*admission
	log  *lines
	addr string // of a unix socket
	end  func() // Close or Shutdown; does not wait for Authorize
	idle int    // slots taken by acceptors that wait
}

// pending returns how many connections are on their way.
func (en *entrance) pending() int { return len(en.slots) - en.idle }

func (en *entrance) dial(t *testing.T) net.Conn {
	t.Helper()
	conn := dialSoon(t, "unix", en.addr)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (en *entrance) open() int {
	en.places.mu.Lock()
	defer en.places.mu.Unlock()
	return en.places.n
}

func listenerEntrance(t *testing.T, o ListenOptions) *entrance {
	log := &lines{Handler: slog.DiscardHandler}
	e, err := NewEngine(EngineOptions{Loops: 1, Logger: slog.New(log)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.Shutdown(context.Background()) })
	addr := filepath.Join(t.TempDir(), "s")
	l, err := e.Listen("unix:"+addr, o)
	require.NoError(t, err)
	return &entrance{&l.admission, log, addr, func() { _ = l.Close() }, min(acceptors, cap(l.slots))}
}

func handlerEntrance(t *testing.T, o ListenOptions) *entrance {
	log := &lines{Handler: slog.DiscardHandler}
	o.Logger = slog.New(log)
	h, err := NewHandler(o)
	require.NoError(t, err)
	addr := filepath.Join(t.TempDir(), "s")
	runGnet(t, "unix://"+addr, h)
	t.Cleanup(func() { _ = h.Shutdown(context.Background()) })
	return &entrance{&h.admission, log, addr, func() {
		h.stopAccepting()
		t.Cleanup(func() { _ = h.end(context.Background()) })
	}, 0}
}

// isRefused expects the end of a connection, and that everything about its refusal was done once.
// A peer sees the end when the last descriptor of its connection is closed.
func (en *entrance) isRefused(t *testing.T, conn net.Conn, because error, open, accepted int) {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(3*time.Second)))
	_, err := conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is still open")
	en.counts(t, because, open, accepted)
}

func (en *entrance) counts(t *testing.T, because error, open, accepted int) {
	t.Helper()
	if !waitFor(func() bool { return en.host.stats().Refused > 0 && en.log.refused.Load() > 0 }) {
		t.Errorf("the refusal was not counted, or not logged: %+v", en.host.stats())
	}
	require.EqualValues(t, 1, en.host.stats().Refused, "counted once")
	require.EqualValues(t, 1, en.log.refused.Load(), "logged once")
	require.ErrorIs(t, en.log.because.Load().(reason).error, because)
	require.EqualValues(t, 1, en.host.figures.refused[wanted(because)].Load(), "counted by its reason")
	require.EqualValues(t, accepted, en.host.stats().Accepted)
	require.Equal(t, open, en.open(), "the place was given back once")
}

// wanted is by what a connection is refused because of an error.
func wanted(because error) refusal {
	return map[error]refusal{
		errMaxSessions: byMaxSessions, errMaxPerAddr: byMaxPerAddr, errMaxPending: byMaxPending,
		errTooSlow: byTimeout, io.EOF: byHandshake, errNo: byAuthorize, errNobody: byIdentify, errAcceptFull: byAcceptFull,
		errDrainStuck: byUndrained, errDrainFull: byUndrained, errEnded: byShutdown, errUnwanted: byShutdown,
		session.ErrShutdown: byShutdown, errReset: bySystem, unix.EBADF: bySystem,
	}[because]
}

// waitFor reports whether ok came true soon.
func waitFor(ok func() bool) bool {
	for range 3000 {
		if ok() {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

var anyTLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return nil, errors.New("no certificate")
}}

var errNo, errNobody = errors.New("no"), errors.New("nobody")

// Every reason to refuse a connection: it is counted, logged, closed, and its place given back,
// each once.
func TestRefusals(t *testing.T) {
	asked, proceed := make(chan struct{}), make(chan struct{})
	for _, c := range []struct {
		name, only     string // only is the kind that knows the reason, if one alone does
		o              ListenOptions
		provoke        func(t *testing.T, en *entrance) net.Conn
		because        error
		open, accepted int
	}{{
		because: errMaxSessions, name: "MaxSessions", o: ListenOptions{MaxSessions: 1},
		provoke: func(t *testing.T, en *entrance) net.Conn {
			en.dial(t)
			<-en.accept
			return en.dial(t)
		},
		open: 1, accepted: 1,
	}, {
		because: errMaxSessions, name: "MaxSessions before Authorize", o: ListenOptions{MaxSessions: 1, Authorize: func(net.Conn) error { return nil }},
		provoke: func(t *testing.T, en *entrance) net.Conn {
			en.dial(t)
			<-en.accept
			return en.dial(t)
		},
		open: 1, accepted: 1,
	}, {
		because: io.EOF, name: "a failed handshake", o: ListenOptions{TLS: anyTLS},
		provoke: func(t *testing.T, en *entrance) net.Conn {
			conn := en.dial(t)
			require.NoError(t, conn.(*net.UnixConn).CloseWrite())
			return conn
		},
	}, {
		because: errTooSlow, name: "HandshakeTimeout", o: ListenOptions{TLS: anyTLS, HandshakeTimeout: 20 * time.Millisecond},
		provoke: func(t *testing.T, en *entrance) net.Conn { return en.dial(t) },
	}, {
		because: errNo, name: "Authorize, whatever its error wraps",
		o:       ListenOptions{Authorize: func(net.Conn) error { return errors.Join(session.ErrShutdown, errNo) }},
		provoke: func(t *testing.T, en *entrance) net.Conn { return en.dial(t) },
	}, {
		because: errNo, name: "Authorize", o: ListenOptions{Authorize: func(net.Conn) error { return errNo }},
		provoke: func(t *testing.T, en *entrance) net.Conn { return en.dial(t) },
	}, {
		because: errNobody, name: "Identify", o: ListenOptions{Identify: func(context.Context, net.Conn) (string, error) { return "somebody", errNobody }},
		provoke: func(t *testing.T, en *entrance) net.Conn { return en.dial(t) },
	}, {
		because: errTooSlow, name: "Identify, late",
		o: ListenOptions{HandshakeTimeout: time.Millisecond, Identify: func(ctx context.Context, _ net.Conn) (string, error) {
			<-ctx.Done()
			return "somebody", nil
		}},
		provoke: func(t *testing.T, en *entrance) net.Conn { return en.dial(t) },
	}, {
		because: errEnded, name: "the end during Identify",
		o: ListenOptions{Identify: func(ctx context.Context, _ net.Conn) (string, error) {
			asked <- struct{}{}
			<-ctx.Done()
			return "", ctx.Err()
		}},
		provoke: func(t *testing.T, en *entrance) net.Conn {
			conn := en.dial(t)
			<-asked
			en.end()
			return conn
		},
	}, {
		because: errEnded, name: "the end during a handshake", o: ListenOptions{TLS: anyTLS},
		provoke: func(t *testing.T, en *entrance) net.Conn {
			conn := en.dial(t)
			require.True(t, waitFor(func() bool { return en.pending() == 1 }))
			en.end()
			return conn
		},
	}, {
		because: errEnded, name: "the end during Authorize",
		o: ListenOptions{Authorize: func(net.Conn) error { asked <- struct{}{}; <-proceed; return nil }},
		provoke: func(t *testing.T, en *entrance) net.Conn {
			conn := en.dial(t)
			<-asked
			en.end()
			_, _ = conn.Read(make([]byte, 1)) // it is cut off before Authorize has returned
			proceed <- struct{}{}
			return conn
		},
	}, {
		because: session.ErrShutdown, name: "a shutdown, on the loop",
		provoke: func(t *testing.T, en *entrance) net.Conn {
			en.host.sessions.Close()
			return en.dial(t)
		},
	}, {
		because: session.ErrShutdown, name: "a shutdown, off the loop", o: ListenOptions{Authorize: func(net.Conn) error { return nil }},
		provoke: func(t *testing.T, en *entrance) net.Conn {
			en.host.sessions.Close()
			return en.dial(t)
		},
	}, {
		because: session.ErrShutdown, name: "a loop that does not take it", only: "listener",
		provoke: func(t *testing.T, en *entrance) net.Conn {
			require.NoError(t, en.host.loops.stop(t.Context()))
			return en.dial(t)
		},
	}, {
		because: errAcceptFull, name: "a full AcceptChan, on the loop", o: ListenOptions{AcceptBuffer: 1}, only: "handler",
		provoke: func(t *testing.T, en *entrance) net.Conn {
			en.dial(t)
			require.True(t, waitFor(func() bool { return len(en.accept) == 1 }))
			return en.dial(t)
		},
		open: 1, accepted: 1,
	}, {
		because: errAcceptFull, name: "a full AcceptChan, off the loop", only: "handler",
		o: ListenOptions{AcceptBuffer: 1, Authorize: func(net.Conn) error { return nil }},
		provoke: func(t *testing.T, en *entrance) net.Conn {
			en.dial(t)
			require.True(t, waitFor(func() bool { return len(en.accept) == 1 }))
			return en.dial(t)
		},
		open: 1, accepted: 1,
	}, {
		because: errEnded, name: "the end before, on the loop", only: "handler",
		provoke: func(t *testing.T, en *entrance) net.Conn { en.end(); return en.dial(t) },
	}, {
		because: errEnded, name: "the end before, off the loop", only: "handler",
		o:       ListenOptions{Authorize: func(net.Conn) error { return nil }},
		provoke: func(t *testing.T, en *entrance) net.Conn { en.end(); return en.dial(t) },
	}} {
		for kind, start := range map[string]func(*testing.T, ListenOptions) *entrance{
			"listener": listenerEntrance, "handler": handlerEntrance,
		} {
			if c.only != "" && c.only != kind {
				continue
			}
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				en := start(t, c.o)
				en.isRefused(t, c.provoke(t, en), c.because, c.open, c.accepted)
			})
		}
	}
}

// onLoop is a connection on a loop that is not there.
type onLoop struct {
	gnet.Conn
	fd int
}

func (c *onLoop) Fd() int                      { return c.fd }
func (c *onLoop) LocalAddr() net.Addr          { return &net.TCPAddr{} }
func (c *onLoop) RemoteAddr() net.Addr         { return &net.TCPAddr{} }
func (c *onLoop) Next(int) ([]byte, error)     { return nil, nil }
func (c *onLoop) OutboundBuffered() int        { return 0 }
func (c *onLoop) Close() error                 { panic("the callback closes it, by what it returns") }
func (c *onLoop) opens(h *Handler) gnet.Action { _, action := h.OnOpen(c); return action }

// handlerAlone is a handler without a gnet engine.
func handlerAlone(t *testing.T, o ListenOptions) (*Handler, *entrance) {
	log := &lines{Handler: slog.DiscardHandler}
	o.Logger = slog.New(log)
	h, err := NewHandler(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.Shutdown(context.Background()) })
	return h, &entrance{admission: &h.admission, log: log}
}

// A connection that is to leave its loop for Authorize finds no descriptor.
func TestHandlerRefusesWithoutDescriptors(t *testing.T) {
	h, en := handlerAlone(t, ListenOptions{Authorize: func(net.Conn) error { return nil }})
	require.Equal(t, gnet.Close, (&onLoop{fd: -1}).opens(h))
	en.counts(t, unix.EBADF, 0, 0)
}

// A connection that was reset before it could leave its loop for Authorize.
func TestHandlerRefusesAResetConnection(t *testing.T) {
	h, en := handlerAlone(t, ListenOptions{Authorize: func(net.Conn) error { return nil }})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	peer, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	conn, err := ln.Accept()
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, peer.(*net.TCPConn).SetLinger(0))
	require.NoError(t, peer.Close())
	_, err = conn.Read(make([]byte, 1)) // the reset has arrived
	require.Error(t, err)

	before := descriptors(t)
	controlFD(conn, func(fd int) { require.Equal(t, gnet.Close, (&onLoop{fd: fd}).opens(h)) })
	en.counts(t, errReset, 0, 0)
	require.Equal(t, before, descriptors(t))
}

// descriptors returns how many the process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/dev/fd")
	require.NoError(t, err)
	return len(open)
}

// A session that was closed before its connection began does not take it, on a loop or off it.
func TestRefusalByAClosedSession(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	for name, conn := range map[string]net.Conn{"on the loop": nil, "off the loop": ours} {
		t.Run(name, func(t *testing.T) {
			h, en := handlerAlone(t, ListenOptions{})
			a := &arrival{admission: &h.admission, remote: ours.RemoteAddr(), conn: conn}
			a.onLoop = func(s *session.Session) error {
				_ = s.Close()
				a.onLoop = nil
				if conn != nil {
					return a.serve(s)
				}
				c := &onLoop{fd: -1}
				_, err := h.serveOnLoop(s, c)
				h.OnClose(c, nil) // as the loop does after gnet.Close
				return err
			}
			require.True(t, a.enter())
			require.False(t, a.admit())
			en.counts(t, errUnwanted, 0, 0)
			require.Empty(t, h.accept)
			if conn != nil {
				_, err := conn.Write([]byte("x"))
				require.Error(t, err, "it is closed")
			}
		})
	}
}
