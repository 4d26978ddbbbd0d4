package e2e_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

func words(texts ...string) (all [][]byte) {
	for _, text := range texts {
		all = append(all, []byte(text))
	}
	return all
}

// Many agents queue metrics before their server is there: the first line from each, on each
// connection, is who it is. So it is after an outage, with TLS, and by an event loop or not.
func TestHelloIsTheFirstLine(t *testing.T) {
	const agents = 50
	for _, secure := range []bool{false, true} {
		for _, await := range []bool{false, true} {
			t.Run(fmt.Sprintf("TLS %v, AwaitPeer %v", secure, await), func(t *testing.T) {
				t.Parallel()
				e := newEngine(t)
				addr := testkit.DeadAddr(t)
				lo := netasync.ListenOptions{}
				if secure {
					lo.TLS = certificates().server(false)
				}
				for n := range agents {
					co := netasync.ConnectOptions{
						AwaitPeer: await, Backoff: quick,
						Hello: func(epoch uint64) [][]byte { return words(fmt.Sprintf("agent %d, %d", n, epoch), "and more") },
					}
					if secure {
						co.TLS = certificates().client(false)
					}
					c := connect(t, e, addr, co)
					send(t, c, testkit.Texts(3)...)
					c.WriteChan() <- []byte("by the channel")
				}
				ln := listenAt(t, e, addr.String(), lo)
				last := map[string]int{} // the epoch that each agent has told
				for range 2 * agents {
					s := testkit.Take(t, ln.AcceptChan())
					expect(t, s, netasync.Connected)
					first := string(expect(t, s, netasync.Message).Payload)
					agent, number, isHello := strings.Cut(first, ", ")
					require.True(t, isHello && strings.HasPrefix(agent, "agent "), first)
					epoch, err := strconv.Atoi(number)
					require.NoError(t, err)
					require.Greater(t, epoch, last[agent], "of %s", agent)
					expectMessages(t, s, "and more")
					if last[agent] == 0 {
						s.CloseNow(nil) // once
					}
					last[agent] = epoch
				}
				require.Len(t, last, agents)
			})
		}
	}
}

// A Hello that takes its time holds up nobody else: its engine has one event loop.
func TestSlowHelloHoldsUpNobody(t *testing.T) {
	e, err := netasync.NewEngine(netasync.EngineOptions{Loops: 1})
	require.NoError(t, err)
	t.Cleanup(func() { endEngine(t, e) })
	ln := listen(t, e, netasync.ListenOptions{})
	go echo(ln.AcceptChan())
	release, called := make(chan struct{}), make(chan struct{})
	slow := connect(t, e, ln.Addr(), netasync.ConnectOptions{Hello: func(uint64) [][]byte {
		close(called)
		<-release
		return words("hello")
	}})
	testkit.Ended(t, called)
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	expect(t, c, netasync.Connected)
	send(t, c, "x")
	expectMessages(t, c, "x")
	close(release)
	expect(t, slow, netasync.Connected)
	expectMessages(t, slow, "hello")
}

// A Hello that cannot be sent is told as the cause of the outage.
func TestBadHello(t *testing.T) {
	e := newEngine(t)
	ln := testkit.Listen(t)
	c := connect(t, e, ln.Addr(), netasync.ConnectOptions{Backoff: quick, MaxAttempts: 2, Hello: func(uint64) [][]byte { return words("") }})
	expectEOF(t, testkit.Accept(t, ln))
	expect(t, c, netasync.Connected)
	require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, netasync.ErrEmptyMessage)
	_, closed := untilClosed(t, c)
	require.ErrorIs(t, closed.Err, netasync.ErrEmptyMessage)
}

// While down, with Refuse: nothing waits, and what a connection did not carry comes back.
func TestRefuse(t *testing.T) {
	e := newEngine(t)
	addr := testkit.DeadAddr(t)
	c := connect(t, e, addr, netasync.ConnectOptions{WhileDown: netasync.Refuse, Backoff: quick})
	require.ErrorIs(t, c.Send(testkit.Context(t), []byte("m")), netasync.ErrNotConnected)
	require.ErrorIs(t, c.TrySend([]byte("m")), netasync.ErrNotConnected)
	expect(t, c, netasync.Disconnected)
	ln := testkit.ListenAt(t, addr.String())
	require.NoError(t, c.WaitConnected(testkit.Context(t)))
	expect(t, c, netasync.Connected)
	conn := testkit.Accept(t, ln)
	send(t, c, "through")
	require.NoError(t, c.Flush(testkit.Context(t)))
	expectFrames(t, conn, "through")

	big := make([]byte, 1<<20) // the peer reads nothing of these
	accepted := 0
	for c.TrySend(big) == nil {
		accepted++
	}
	waiting := make(chan error, 1)
	go func() { waiting <- c.Send(testkit.Context(t), big) }()
	require.NoError(t, conn.Close())
	ev := expect(t, c, netasync.Disconnected)
	if err := testkit.Take(t, waiting); err == nil {
		accepted++ // there was room just before
	} else {
		require.ErrorIs(t, err, netasync.ErrNotConnected)
	}
	require.NotEmpty(t, ev.Unsent)
	require.Zero(t, ev.Queued)
	st := c.Stats()
	require.EqualValues(t, len(ev.Unsent), st.Returned)
	require.EqualValues(t, 1+accepted, st.Sent+st.Returned)
	for _, m := range ev.Unsent {
		require.Len(t, m, len(big))
	}
	require.NoError(t, c.Close())
}
