package e2e_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

// How sessions with Resume get their connections, by each door and on each kind of socket.

// cutter dials, and cuts what it has dialed. The library gets its connections in a wrapping, so that it
// does not take their descriptors over.
type cutter struct {
	mu   sync.Mutex
	conn net.Conn
}

func (c *cutter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn = conn; err != nil {
		return nil, err
	}
	return struct{ net.Conn }{conn}, nil
}

// cut ends the last connection, in order or by a reset.
func (c *cutter) cut(inOrder bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, ok := c.conn.(*net.TCPConn); ok && !inOrder {
		_ = t.SetLinger(0)
	}
	_ = c.conn.Close()
}

// bareListener makes the library serve a listener's connections off the loops.
type bareListener struct{ net.Listener }

func (w bareListener) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return struct{ net.Conn }{conn}, nil
}

// resumeDoor is a place that sessions with Resume come in by.
type resumeDoor struct {
	name string
	open func(t *testing.T, o netasync.ListenOptions) (net.Addr, <-chan *netasync.Session)
	tls  bool
}

var resumeDoors = []resumeDoor{
	{"tcp", func(t *testing.T, o netasync.ListenOptions) (net.Addr, <-chan *netasync.Session) {
		ln := listen(t, newEngine(t), o)
		return ln.Addr(), ln.AcceptChan()
	}, false},
	{"tls", func(t *testing.T, o netasync.ListenOptions) (net.Addr, <-chan *netasync.Session) {
		o.TLS = certificates().server(true)
		ln := listen(t, newEngine(t), o)
		return ln.Addr(), ln.AcceptChan()
	}, true},
	{"unix", func(t *testing.T, o netasync.ListenOptions) (net.Addr, <-chan *netasync.Session) {
		ln := listenAt(t, newEngine(t), "unix:"+filepath.Join(t.TempDir(), "s"), o)
		return ln.Addr(), ln.AcceptChan()
	}, false},
	{"a listener of one's own", func(t *testing.T, o netasync.ListenOptions) (net.Addr, <-chan *netasync.Session) {
		ln, err := newEngine(t).Serve(bareListener{testkit.Listen(t)}, o)
		require.NoError(t, err)
		return ln.Addr(), ln.AcceptChan()
	}, false},
	{"handler", func(t *testing.T, o netasync.ListenOptions) (net.Addr, <-chan *netasync.Session) {
		h, addr := embedBare(t, o)
		return addr, h.AcceptChan()
	}, false},
}

// A session goes on through connections that break, in order or not, whatever it comes in by, and both
// ends have all that the other has sent, once and in order.
func TestResumeByEachDoor(t *testing.T) {
	const cuts, burst = 6, 50
	for _, door := range resumeDoors {
		t.Run(door.name, func(t *testing.T) {
			addr, accept := door.open(t, netasync.ListenOptions{Resume: true})
			var cutter cutter
			o := netasync.ConnectOptions{Resume: true, Backoff: quick, Dial: cutter.dial}
			if door.tls {
				o.TLS = certificates().client(true)
			}
			c := connect(t, newEngine(t), addr, o)
			s := testkit.Take(t, accept)
			expect(t, c, netasync.Connected)
			expect(t, s, netasync.Connected)
			for i := range cuts {
				var texts []string
				for j := range burst {
					texts = append(texts, fmt.Sprintf("%d.%d", i, j))
				}
				go send(t, c, texts...)
				go send(t, s, texts...)
				cutter.cut(i%2 == 0)
				for _, end := range []*netasync.Session{c, s} {
					var got []string
					for connected := false; len(got) < burst || !connected; {
						switch ev := next(t, end); ev.Kind {
						case netasync.Message:
							got = append(got, string(ev.Payload))
						case netasync.Connected:
							require.True(t, ev.Resumed)
							connected = true
						default:
							require.Equal(t, netasync.Disconnected, ev.Kind, "%v", ev.Err)
							connected = false
						}
					}
					require.Equal(t, texts, got)
				}
			}
			require.NoError(t, c.Close())
			ev := expectClosed(t, c)
			require.NoError(t, ev.Err)
			require.Zero(t, ev.Queued)
			require.Zero(t, ev.Lost)
			require.NoError(t, expectClosed(t, s).Err)
			require.Empty(t, accept)
		})
	}
}

// The same on the network in memory, as programs are tested.
func TestResumeInMemory(t *testing.T) {
	n := netasynctest.NewNetwork(t)
	ln, err := n.Engine("server", netasync.EngineOptions{}).Listen(":1", netasync.ListenOptions{Resume: true})
	require.NoError(t, err)
	c, err := n.Engine("client", netasync.EngineOptions{}).Connect("server:1", netasync.ConnectOptions{Resume: true, Backoff: quick})
	require.NoError(t, err)
	expect(t, c, netasync.Connected)
	s := testkit.Take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	n.Link("client", "server").Cut(nil)
	for _, end := range []*netasync.Session{c, s} {
		expect(t, end, netasync.Disconnected)
		require.True(t, expect(t, end, netasync.Connected).Resumed)
	}
}

// A plain client is served by a listener with Resume, what it has said first included, and so is one
// that waits for the server to speak.
func TestPlainClientsOfAResumeListener(t *testing.T) {
	for _, door := range resumeDoors {
		t.Run(door.name, func(t *testing.T) {
			addr, accept := door.open(t, netasync.ListenOptions{Resume: true})
			var o netasync.ConnectOptions
			if door.tls {
				o.TLS = certificates().client(true)
			}
			talks := connect(t, newEngine(t), addr, o)
			send(t, talks, "one", "two")
			s := testkit.Take(t, accept)
			expect(t, s, netasync.Connected)
			expectMessages(t, s, "one", "two")
			send(t, s, "three")
			expect(t, talks, netasync.Connected)
			expectMessages(t, talks, "three")

			waits := connect(t, newEngine(t), addr, o)
			s = testkit.Take(t, accept)
			send(t, s, "first")
			expect(t, waits, netasync.Connected)
			expectMessages(t, waits, "first")
			send(t, waits, "second")
			expect(t, s, netasync.Connected)
			expectMessages(t, s, "second")
			require.NoError(t, s.Close())
			require.ErrorIs(t, expect(t, waits, netasync.Disconnected).Err, io.EOF)
		})
	}
}

// A client with Resume at a listener without: it says why it cannot, and the listener's user gets one
// odd message.
func TestResumeAtAPlainListener(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Resume: true, DialTimeout: 100 * time.Millisecond, MaxAttempts: 2, Backoff: quick})
	require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, netasync.ErrNotResumable)
	require.ErrorIs(t, expectClosed(t, c).Err, netasync.ErrNotResumable)
	s := testkit.Take(t, ln.AcceptChan())
	expect(t, s, netasync.Connected)
	require.Contains(t, string(expect(t, s, netasync.Message).Payload), "netasync-resume")
	expectClosed(t, s)
}

// A listener with ResumeOnly refuses plain clients.
func TestResumeOnly(t *testing.T) {
	eachEntrance(t, netasync.ListenOptions{Resume: true, ResumeOnly: true}, func(t *testing.T, en entrance) {
		conn := testkit.Dial(t, en.addr)
		testkit.Write(t, conn, testkit.Frames("hello"))
		isCut(t, conn)
		isCut(t, testkit.Dial(t, en.addr)) // it says nothing
		testkit.Eventually(t, func() bool { return en.stats().RefusedBy.Resume == 2 }, "both are counted")
		c := connect(t, newEngine(t), en.addr, netasync.ConnectOptions{Resume: true})
		testkit.Take(t, en.accept)
		expect(t, c, netasync.Connected)
	})
}

// A session that began with TLS is not taken up without, and is not disturbed.
func TestResumeDowngrade(t *testing.T) {
	e := newEngine(t)
	secure := listen(t, e, netasync.ListenOptions{Resume: true, TLS: certificates().server(false)})
	open := listen(t, e, netasync.ListenOptions{Resume: true})
	// The session's bytes are those of a client that TLS is taken away from: it dials the other listener.
	var cutter cutter
	var downgrade bool
	var mu sync.Mutex
	c := connect(t, newEngine(t), secure.Addr(), netasync.ConnectOptions{Resume: true, Backoff: quick,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			if downgrade {
				return new(net.Dialer).DialContext(ctx, network, open.Addr().String())
			}
			conn, err := cutter.dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			config := certificates().client(false)
			config.ServerName = "localhost"
			return tls.Client(conn, config), nil
		}})
	s := testkit.Take(t, secure.AcceptChan())
	expect(t, c, netasync.Connected)
	expect(t, s, netasync.Connected)
	send(t, c, "one")
	expectMessages(t, s, "one")
	mu.Lock()
	downgrade = true
	mu.Unlock()
	cutter.cut(false)
	expect(t, c, netasync.Disconnected)
	testkit.Eventually(t, func() bool { return e.Stats().RefusedBy.Resume > 0 }, "it is refused")
	testkit.Eventually(t, func() bool {
		err := c.Stats().LastError
		return err != nil && err.Error() == "netasync: resumption refused: forbidden"
	}, "and told why")
	require.Empty(t, open.AcceptChan())
	mu.Lock()
	downgrade = false
	mu.Unlock()
	require.True(t, expect(t, c, netasync.Connected).Resumed)
	expect(t, s, netasync.Disconnected)
	require.True(t, expect(t, s, netasync.Connected).Resumed)
}

// Without Identify it is the subject of the client's certificate that counts: a renewed one will do,
// and somebody else's will not.
func TestResumeByCertificate(t *testing.T) {
	a := testkit.NewAuthority()
	server := &tls.Config{Certificates: []tls.Certificate{a.Issue("server", x509.ExtKeyUsageServerAuth, "127.0.0.1")},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.Pool()}
	ln := listen(t, newEngine(t), netasync.ListenOptions{Resume: true, TLS: server})
	var mu sync.Mutex
	var shown tls.Certificate
	show := func(name string) {
		mu.Lock()
		defer mu.Unlock()
		shown = a.Issue(name, x509.ExtKeyUsageClientAuth)
	}
	show("alice")
	var cutter cutter
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Resume: true, Backoff: quick, Dial: cutter.dial,
		TLS: &tls.Config{RootCAs: a.Pool(), GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			mu.Lock()
			defer mu.Unlock()
			return &shown, nil
		}}})
	s := testkit.Take(t, ln.AcceptChan())
	require.Empty(t, s.Identity(), "it is for resumption alone")
	expect(t, c, netasync.Connected)
	send(t, c, "one")
	expect(t, s, netasync.Connected)
	expectMessages(t, s, "one")
	show("alice") // renewed
	cutter.cut(true)
	expect(t, c, netasync.Disconnected)
	require.True(t, expect(t, c, netasync.Connected).Resumed)
	show("mallory")
	cutter.cut(true)
	expect(t, c, netasync.Disconnected)
	testkit.Eventually(t, func() bool {
		err := c.Stats().LastError
		return err != nil && err.Error() == "netasync: resumption refused: forbidden"
	}, "mallory is refused")
	show("alice")
	require.True(t, expect(t, c, netasync.Connected).Resumed)
}

// A Handler's session is offered once, and refused when AcceptChan is full, which its dialer is told.
func TestResumeAtAFullHandler(t *testing.T) {
	h, addr := embedBare(t, netasync.ListenOptions{Resume: true, AcceptBuffer: 1})
	first := connect(t, newEngine(t), addr, netasync.ConnectOptions{Resume: true})
	expect(t, first, netasync.Connected)
	second := connect(t, newEngine(t), addr, netasync.ConnectOptions{Resume: true, Backoff: quick})
	require.ErrorContains(t, expect(t, second, netasync.Disconnected).Err, "full")
	testkit.Eventually(t, func() bool { return h.Stats().RefusedBy.AcceptFull > 0 }, "it is counted")
	testkit.Take(t, h.AcceptChan())
	expect(t, second, netasync.Connected)
	testkit.Take(t, h.AcceptChan())
	require.EqualValues(t, 2, h.Stats().Accepted)
}

// MaxSessionsPerAddr leaves room for those who come back, and bounds connections that are none yet.
func TestResumeAtMaxSessionsPerAddr(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{Resume: true, MaxSessionsPerAddr: 1})
	var cutter cutter
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Resume: true, Backoff: quick, Dial: cutter.dial})
	s := testkit.Take(t, ln.AcceptChan())
	expect(t, c, netasync.Connected)
	send(t, c, "one")
	expect(t, s, netasync.Connected)
	expectMessages(t, s, "one")
	second := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{Resume: true, Backoff: quick})
	require.ErrorContains(t, expect(t, second, netasync.Disconnected).Err, "full")
	testkit.Eventually(t, func() bool { return e.Stats().RefusedBy.MaxSessionsPerAddr > 0 }, "it is counted")
	cutter.cut(true)
	expect(t, c, netasync.Disconnected)
	require.True(t, expect(t, c, netasync.Connected).Resumed)
	require.NoError(t, c.Close())
	expectClosed(t, c)
	expect(t, second, netasync.Connected)
}

// A server that was started anew begins new sessions, and says so.
func TestResumeAtARestartedServer(t *testing.T) {
	e, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	ln := listen(t, e, netasync.ListenOptions{Resume: true})
	addr := ln.Addr()
	c := connect(t, newEngine(t), addr, netasync.ConnectOptions{Resume: true, Backoff: quick})
	expect(t, c, netasync.Connected)
	testkit.Take(t, ln.AcceptChan())
	require.NoError(t, e.Shutdown(testkit.Context(t)))
	expect(t, c, netasync.Disconnected)
	again := listenAt(t, newEngine(t), addr.String(), netasync.ListenOptions{Resume: true})
	ev := expect(t, c, netasync.Connected)
	require.False(t, ev.Resumed)
	require.Zero(t, ev.Lost)
	testkit.Take(t, again.AcceptChan())
}

// Detached sessions have no goroutine and no descriptor of their own, and a shutdown ends them at once.
func TestDetachedSessionsCostLittle(t *testing.T) {
	const clients = 100
	e, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	ln := listen(t, e, netasync.ListenOptions{Resume: true})
	var all []*netasync.Session
	for range clients {
		var cutter cutter
		client, err := netasync.NewEngine(netasync.EngineOptions{})
		require.NoError(t, err)
		c := connect(t, client, ln.Addr(), netasync.ConnectOptions{Resume: true, Dial: cutter.dial, Backoff: netasync.FixedDelay(time.Hour)})
		s := testkit.Take(t, ln.AcceptChan())
		expect(t, c, netasync.Connected)
		expect(t, s, netasync.Connected)
		send(t, c, "one")
		expectMessages(t, s, "one")
		cutter.cut(true)
		expect(t, c, netasync.Disconnected)
		expect(t, s, netasync.Disconnected)
		all = append(all, s)
		c.CloseNow(nil)
		require.NoError(t, client.Shutdown(testkit.Context(t)))
	}
	testkit.Eventually(t, func() bool { return e.Stats().Detached == clients }, "all wait")
	begin := time.Now()
	send(t, all[0], "unsent")
	var unsent *netasync.UnsentError
	require.True(t, errors.As(e.Shutdown(testkit.Context(t)), &unsent))
	require.Equal(t, 1, unsent.Messages)
	require.Less(t, time.Since(begin), 10*time.Second)
	for _, s := range all {
		expectClosed(t, s)
	}
}
