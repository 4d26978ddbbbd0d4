package e2e_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/panjf2000/gnet/v2"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

// chat is a program: rooms in the user's own gnet server, which tells browsers how many lines were
// missed. Members say "join ROOM NAME", "say ROOM TEXT" and "leave ROOM". The value of a session is
// in which rooms it is, and by which name.
type chat struct {
	bare
	mu     sync.Mutex // guards all below, and all values
	missed int        // lines that somebody was too slow for
}

// OnOpen leaves everything open: the first bytes decide.
func (c *chat) OnOpen(gnet.Conn) ([]byte, gnet.Action) { return nil, gnet.None }

func (c *chat) OnTraffic(conn gnet.Conn) gnet.Action {
	first, err := conn.Peek(4)
	if conn.Context() == nil && err != nil {
		return gnet.None // not enough yet
	}
	if conn.Context() != nil || string(first) != "GET " {
		conn.SetContext("a member")
		return c.Handler.OnTraffic(conn)
	}
	_, _ = conn.Discard(-1)
	_, _ = fmt.Fprint(conn, c.page())
	return gnet.Close
}

func (c *chat) page() int { c.mu.Lock(); defer c.mu.Unlock(); return c.missed }

func (c *chat) onEvent(s *netasync.Session, ev netasync.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ev.Kind == netasync.Connected {
		s.SetValue(make(map[string]string))
	}
	rooms := s.Value().(map[string]string)
	verb, rest, _ := strings.Cut(string(ev.Payload), " ")
	room, text, _ := strings.Cut(rest, " ")
	switch verb {
	case "join":
		rooms[room] = text
		c.tell(room, text+" joins")
	case "say":
		c.tell(room, rooms[room]+": "+text)
	case "leave":
		c.tell(room, rooms[room]+" leaves")
		delete(rooms, room)
	}
}

// tell tells all in a room, and waits for nobody. The caller holds mu.
func (c *chat) tell(room, line string) {
	for s := range c.Sessions() {
		rooms, _ := s.Value().(map[string]string)
		if rooms[room] != "" && errors.Is(s.TrySend([]byte(room+" "+line)), netasync.ErrQueueFull) {
			c.missed++
		}
	}
}

// A slow member misses lines and holds up nobody; one who loses the connection is in the room again.
func TestProgramChat(t *testing.T) {
	c := new(chat)
	h, err := netasync.NewHandler(netasync.ListenOptions{OnEvent: c.onEvent, WriteBuffer: netasync.Fixed(16)})
	require.NoError(t, err)
	c.bare = bare{h, make(chan gnet.Engine, 1)}
	_, addr := run(t, c, c.booted, gnet.WithSocketSendBuffer(64<<10))
	t.Cleanup(func() { endHandler(t, h) })
	e, proxy := newEngine(t), netasynctest.NewProxy(t, addr.String())
	enter := func(name, addr string) *netasync.Session {
		s, err := e.Connect(addr, netasync.ConnectOptions{
			Hello:      func(uint64) [][]byte { return words("join go " + name) },
			ReadBuffer: netasync.Fixed(1), SocketReadBuffer: 64 << 10, Backoff: quick,
		})
		require.NoError(t, err)
		netasynctest.Expect(t, s, netasynctest.IsConnected, netasynctest.IsMessage("go "+name+" joins"))
		return s
	}
	alice, bob, slow := enter("alice", addr.String()), enter("bob", proxy.Addr()), enter("carol", addr.String())
	expectMessages(t, alice, "go bob joins", "go carol joins")
	expectMessages(t, bob, "go carol joins")
	said, text := 0, func(n int) string { return fmt.Sprint(n, strings.Repeat(" and on", 2000)) }
	for ; c.page() == 0; said++ {
		send(t, alice, "say go "+text(said))
		expectMessages(t, alice, "go alice: "+text(said))
		expectMessages(t, bob, "go alice: "+text(said))
	}
	for n := range said - 1 { // all but the one she was too slow for
		expectMessages(t, slow, "go alice: "+text(n))
	}
	proxy.Cut(nil)
	netasynctest.Expect(t, bob, netasynctest.IsDisconnected(nil))
	send(t, bob, "say go I was away", "leave go", "join rust bob") // behind his Hello
	netasynctest.Expect(t, bob, netasynctest.IsConnected)
	expectMessages(t, bob, "go bob joins", "go bob: I was away", "go bob leaves", "rust bob joins")
	expectMessages(t, alice, "go bob joins", "go bob: I was away", "go bob leaves")
	expectMessages(t, slow, "go bob joins", "go bob: I was away", "go bob leaves")
	conn := testkit.Dial(t, addr)
	testkit.Write(t, conn, []byte("GET /"))
	page, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, "1", string(page))
}
