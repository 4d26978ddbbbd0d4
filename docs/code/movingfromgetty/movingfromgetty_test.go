package movingfromgetty

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"os/exec"
	"testing"
	"time"

	getty "github.com/apache/dubbo-getty"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	getty.SetLogger(silent{})
	testkit.Main(m)
}

// servers are the ways to write the server. They return its address.
var servers = map[string]func(t *testing.T) string{
	"getty": func(t *testing.T) string {
		withGetty(t)
		server := listen("127.0.0.1:0", func(s getty.Session, p []byte) {
			_, _, _ = s.WritePkg(bytes.ToUpper(p), time.Second)
		})
		t.Cleanup(server.Close)
		return server.(getty.StreamServer).Listener().Addr().String()
	},
	"callbacks": func(t *testing.T) string {
		c := &callbacks{got: func(s *netasync.Session, p []byte) { _ = s.Send(context.Background(), bytes.ToUpper(p)) }}
		l, err := c.listen(newEngine(t), "127.0.0.1:0")
		require.NoError(t, err)
		return l.Addr().String()
	},
	"loop": func(t *testing.T) string {
		l, err := newEngine(t).Listen("127.0.0.1:0", netasync.ListenOptions{})
		require.NoError(t, err)
		go serve(context.Background(), l, bytes.ToUpper)
		return l.Addr().String()
	},
}

// clients are the ways to write the client. They return what sends.
var clients = map[string]func(t *testing.T, addr string, got func([]byte)) func(string){
	"getty": func(t *testing.T, addr string, got func([]byte)) func(string) {
		withGetty(t)
		c := dial(addr, func(_ getty.Session, p []byte) { got(p) })
		t.Cleanup(c.Close)
		testkit.Eventually(t, func() bool { return c.current() != nil }, "a session")
		return func(m string) { _ = c.send([]byte(m)) }
	},
	"netasync": func(t *testing.T, addr string, got func([]byte)) func(string) {
		c := &callbacks{got: func(_ *netasync.Session, p []byte) { got(p) }}
		s, err := c.dial(newEngine(t), addr)
		require.NoError(t, err)
		return func(m string) { require.NoError(t, s.Send(testkit.Context(t), []byte(m))) }
	},
}

// Each client talks to each server, in order, and again after a reset.
func TestSame(t *testing.T) {
	for s := range servers {
		for c := range clients {
			t.Run(c+" to "+s, func(t *testing.T) {
				proxy := netasynctest.NewProxy(t, servers[s](t))
				answers := make(chan string, 1_000)
				send := clients[c](t, proxy.Addr(), func(p []byte) { answers <- string(p) })
				for _, m := range []string{"one", "two", "three"} {
					send(m)
				}
				for _, want := range []string{"ONE", "TWO", "THREE"} {
					require.Equal(t, want, testkit.Take(t, answers))
				}
				proxy.Cut(nil)
				for answered := false; !answered; {
					send("again")
					select {
					case got := <-answers:
						require.Equal(t, "AGAIN", got)
						answered = true
					case <-time.After(200 * time.Millisecond):
						require.NoError(t, testkit.Context(t).Err())
					}
				}
			})
		}
	}
}

// withGetty is for tests of which getty is a part. At the end of a session it changes, without a lock, what
// others read, which the race detector finds.
func withGetty(t *testing.T) {
	if raceEnabled {
		t.Skip("see TestWithoutRaceDetector")
	}
}

// Under the race detector, another process runs what withGetty leaves out.
func TestWithoutRaceDetector(t *testing.T) {
	if !raceEnabled {
		t.Skip("this is that process")
	}
	said, err := exec.Command("go", "test", "-race=false", "-count=1", ".").CombinedOutput()
	require.NoError(t, err, "%s", said)
}

// What the page says of getty: after a clean end it does not dial again, after a reset it does. A session
// of this library does both times.
func TestDialsAgain(t *testing.T) {
	gettyDials := func(t *testing.T, addr string) {
		withGetty(t)
		ignore := func(getty.Session) {}
		client := getty.NewTCPClient(getty.WithServerAddress(addr), getty.WithConnectionNumber(1))
		t.Cleanup(client.Close)
		client.RunEventLoop((&listener{ignore, ignore, func(getty.Session, []byte) {}}).newSession)
	}
	netasyncDials := func(t *testing.T, addr string) {
		_, err := (&callbacks{}).dial(newEngine(t), addr)
		require.NoError(t, err)
	}
	for name, c := range map[string]struct {
		dial         func(t *testing.T, addr string)
		reset, again bool
	}{
		"getty after a reset":        {gettyDials, true, true},
		"getty after an end":         {gettyDials, false, false},
		"this library after a reset": {netasyncDials, true, true},
		"this library after an end":  {netasyncDials, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			accepted := accept(t)
			c.dial(t, accepted.addr)
			conn := testkit.Take(t, accepted.conns)
			if c.reset {
				require.NoError(t, conn.SetLinger(0))
			}
			require.NoError(t, conn.Close())
			if c.again {
				testkit.Take(t, accepted.conns)
				return
			}
			select {
			case <-accepted.conns:
				require.Fail(t, "it dials again")
			case <-time.After(2 * time.Second): // it would wait for 300 ms
			}
		})
	}
}

// A door takes connections, and leaves them open.
type door struct {
	addr  string
	conns chan *net.TCPConn
}

func accept(t *testing.T) door {
	l := testkit.Listen(t)
	d := door{l.Addr().String(), make(chan *net.TCPConn, 100)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			d.conns <- conn.(*net.TCPConn)
		}
	}()
	return d
}

// current is the session that the client has.
func (c *client) current() getty.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// What the page says of getty: OnClose of a session that was reset comes after OnOpen of the next one.
func TestOrderOfGetty(t *testing.T) {
	withGetty(t)
	proxy := netasynctest.NewProxy(t, servers["loop"](t))
	order := make(chan string, 10)
	l := &listener{
		opened: func(s getty.Session) { order <- "opened"; _, _, _ = s.WritePkg([]byte("hello"), time.Second) },
		closed: func(getty.Session) { order <- "closed" },
		got:    func(getty.Session, []byte) { order <- "got" },
	}
	client := getty.NewTCPClient(getty.WithServerAddress(proxy.Addr()), getty.WithConnectionNumber(1))
	go client.RunEventLoop(l.newSession)
	t.Cleanup(client.Close)
	require.Equal(t, "opened", testkit.Take(t, order))
	require.Equal(t, "got", testkit.Take(t, order))
	proxy.Cut(nil)
	require.Equal(t, "opened", testkit.Take(t, order))
	rest := []string{testkit.Take(t, order), testkit.Take(t, order)}
	require.ElementsMatch(t, []string{"closed", "got"}, rest)
}

// OnCron sends a heartbeat, which is an empty package.
func TestCron(t *testing.T) {
	withGetty(t)
	opened := make(chan getty.Session, 1)
	l := &listener{
		opened: func(s getty.Session) { opened <- s },
		closed: func(getty.Session) {},
		got:    func(getty.Session, []byte) {},
	}
	server := getty.NewTCPServer(getty.WithLocalAddress("127.0.0.1:0"))
	server.RunEventLoop(l.newSession)
	t.Cleanup(server.Close)
	conn := testkit.Dial(t, server.(getty.StreamServer).Listener().Addr())
	s := testkit.Take(t, opened)
	l.OnCron(s)
	beat := make([]byte, 4)
	_, err := io.ReadFull(conn, beat)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 4), beat)
}

func newEngine(t *testing.T) *netasync.Engine {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Shutdown(testkit.Context(t)) })
	return engine
}

type silent struct{}

func (silent) Info(...any)           {}
func (silent) Warn(...any)           {}
func (silent) Error(...any)          {}
func (silent) Debug(...any)          {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Debugf(string, ...any) {}
