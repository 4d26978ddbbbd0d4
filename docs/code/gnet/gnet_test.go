package gnetdoor

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// addrOf returns where a gnet engine listens, which it does not tell itself.
func addrOf(t *testing.T, engine gnet.Engine) string {
	fd, err := engine.Dup()
	require.NoError(t, err)
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	l, err := net.FileListener(file)
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

var quiet = gnet.WithLogger(silent{})

type silent struct{ logging.Logger }

func (silent) Debugf(string, ...any) {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}

// freeAddr returns an address that was free a moment ago: run does not tell which port gnet has chosen.
func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// open runs a door until the test ends, which finds that it has ended as it should.
func open(t *testing.T, most int64) (addr string) {
	_, addr = openDoor(t, most)
	return addr
}

func openDoor(t *testing.T, most int64) (h *netasync.Handler, addr string) {
	h, err := netasync.NewHandler(netasync.ListenOptions{MaxSessions: int(most)})
	require.NoError(t, err)
	d := &door{Handler: h, booted: make(chan gnet.Engine, 1), most: most}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	addr = freeAddr(t)
	go func() { ended <- run(ctx, d, "tcp://"+addr, quiet, gnet.WithNumEventLoop(2)) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, testkit.Take(t, ended))
	})
	return h, addr
}

func session(t *testing.T, addr string, o netasync.ConnectOptions) *netasync.Session {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Shutdown(testkit.Context(t)) })
	s, err := engine.Connect(addr, o)
	require.NoError(t, err)
	for ev, err := s.Recv(testkit.Context(t)); ev.Kind != netasync.Connected; ev, err = s.Recv(testkit.Context(t)) {
		require.NoError(t, err) // it may come before the server
	}
	return s
}

func ask(t *testing.T, s *netasync.Session, m, want string) {
	require.NoError(t, s.Send(testkit.Context(t), []byte(m)))
	netasynctest.ExpectWithin(t, testkit.Patience, s, netasynctest.IsMessage(want))
}

// say writes a line and returns the answer.
func say(conn net.Conn, text string) (string, error) {
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

// One port serves lines and messages.
func TestDoor(t *testing.T) {
	addr := open(t, 100)
	s := session(t, addr, netasync.ConnectOptions{})
	ask(t, s, "hello", "HELLO")
	conn := testkit.DialAt(t, addr)
	answer, err := say(conn, "hello\n")
	require.NoError(t, err)
	require.Equal(t, "HELLO\n", answer)
	ask(t, s, "again", "AGAIN")
	answer, err = say(conn, "again\n")
	require.NoError(t, err)
	require.Equal(t, "AGAIN\n", answer)
	_, err = say(conn, strings.Repeat("x", maxLine+1))
	require.Error(t, err, "a line without an end")
}

// A client that says nothing has a session with its first heartbeat; one that waits for the server has none.
func TestDoorWaitsForAByte(t *testing.T) {
	h, addr := openDoor(t, 100)
	o := netasync.ConnectOptions{HeartbeatPeriod: 50 * time.Millisecond, HeartbeatTimeout: 10 * time.Second}
	o.AwaitPeer = true
	e, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.Shutdown(testkit.Context(t)) })
	waits, err := e.Connect(addr, o)
	require.NoError(t, err)
	o.AwaitPeer = false
	session(t, addr, o)
	testkit.Eventually(t, func() bool { return len(slices.Collect(h.Sessions())) > 0 }, "a session")
	time.Sleep(500 * time.Millisecond) // ten periods: nothing is waited for, something is not to come
	require.Len(t, slices.Collect(h.Sessions()), 1)
	require.Equal(t, netasync.StateConnecting, waits.State())
}

// Connections of both kinds count, and give their places back.
func TestDoorIsFull(t *testing.T) {
	addr := open(t, 2)
	s := session(t, addr, netasync.ConnectOptions{})
	ask(t, s, "hello", "HELLO")
	conn := testkit.DialAt(t, addr)
	_, err := say(conn, "hello\n")
	require.NoError(t, err)
	_, err = say(testkit.DialAt(t, addr), "hello\n")
	require.Error(t, err)
	require.NoError(t, conn.Close())
	testkit.Eventually(t, func() bool {
		answer, err := say(testkit.DialAt(t, addr), "hello\n")
		return err == nil && answer == "HELLO\n"
	}, "a place")
}

// What is queued when the server is told to end arrives.
func TestDoorFlushes(t *testing.T) {
	h, err := netasync.NewHandler(netasync.ListenOptions{})
	require.NoError(t, err)
	d := &door{Handler: h, booted: make(chan gnet.Engine, 1), most: 10}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	addr := freeAddr(t)
	go func() { ended <- run(ctx, d, "tcp://"+addr, quiet) }()
	s := session(t, addr, netasync.ConnectOptions{})
	ask(t, s, "hello", "HELLO")
	for accepted := range h.Sessions() {
		for range 100 {
			require.NoError(t, accepted.Send(testkit.Context(t), []byte("last")))
		}
	}
	cancel()
	for range 100 {
		netasynctest.ExpectWithin(t, testkit.Patience, s, netasynctest.IsMessage("last"))
	}
	netasynctest.ExpectWithin(t, testkit.Patience, s, netasynctest.IsDisconnected(io.EOF))
	require.NoError(t, testkit.Take(t, ended))
}

// Who cannot listen is told so.
func TestDoorIsTaken(t *testing.T) {
	l := testkit.Listen(t)
	h, err := netasync.NewHandler(netasync.ListenOptions{})
	require.NoError(t, err)
	d := &door{Handler: h, booted: make(chan gnet.Engine, 1)}
	require.Error(t, run(t.Context(), d, "tcp://"+l.Addr().String(), quiet))
}

// The server by a codec and the one by Codec speak the same; only heartbeats are added.
func TestCodec(t *testing.T) {
	after, err := newEcho()
	require.NoError(t, err)
	for name, h := range map[string]gnet.EventHandler{"before": &echo{}, "after": after} {
		t.Run(name, func(t *testing.T) {
			b := &booting{h, make(chan gnet.Engine, 1)}
			ended := make(chan error, 1)
			go func() { ended <- gnet.Run(b, "tcp://127.0.0.1:0", quiet) }()
			engine := testkit.Take(t, b.booted)
			s := session(t, addrOf(t, engine), netasync.ConnectOptions{Codec: netasync.Codec{Width: 2}})
			ask(t, s, "hello", "hello")
			ask(t, s, strings.Repeat("x", 65_535), strings.Repeat("x", 65_535))
			conn := testkit.DialAt(t, addrOf(t, engine))
			testkit.Write(t, conn, []byte("\x00\x02hi\x00\x01!"))
			want := map[string]string{"before": "\x00\x02hi\x00\x01!", "after": "\x00\x00\x00\x02hi\x00\x01!"}[name]
			got := make([]byte, len(want))
			_, err := io.ReadFull(conn, got)
			require.NoError(t, err)
			require.Equal(t, want, string(got))
			if h, ok := h.(*netasync.Handler); ok {
				require.NoError(t, h.Shutdown(testkit.Context(t)))
			}
			require.NoError(t, engine.Stop(testkit.Context(t)))
			require.NoError(t, testkit.Take(t, ended))
		})
	}
}

// booting tells that a gnet engine has begun.
type booting struct {
	gnet.EventHandler
	booted chan gnet.Engine
}

func (b *booting) OnBoot(engine gnet.Engine) gnet.Action {
	b.booted <- engine
	return gnet.None
}
