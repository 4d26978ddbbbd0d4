package e2e_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Many peers send most of a large message and stop: what that costs is bounded by AssemblyBudget,
// those that came least far are told ErrOverloaded, and large messages of others pass meanwhile.
func TestManyUnfinishedMessages(t *testing.T) {
	const budget, size, peers = 32 << 20, 4 << 20, 60
	e, err := netasync.NewEngine(netasync.EngineOptions{AssemblyBudget: budget})
	require.NoError(t, err)
	t.Cleanup(func() { endEngine(t, e) })
	ln := listen(t, e, netasync.ListenOptions{})
	honest, accepted := meet(t, e, ln)
	go echoSession(accepted)
	before := testkit.Heap()

	var sessions []*netasync.Session
	part := testkit.Frames(make([]byte, size))[:size-100_000]
	for i := range peers {
		raw := testkit.Dial(t, ln.Addr())
		sessions = append(sessions, testkit.Take(t, ln.AcceptChan()))
		_, _ = raw.Write(part) // it may have been ended meanwhile
		if i%10 == 9 {
			require.NoError(t, honest.Send(testkit.Context(t), make([]byte, size)))
			require.Len(t, expect(t, honest, netasync.Message).Payload, size)
		}
	}
	testkit.Eventually(t, func() bool { return testkit.Heap()-before < budget+8<<20 }, "memory comes back")
	victims := 0
	for _, s := range sessions {
		if s.State() != netasync.StateClosed {
			continue
		}
		require.ErrorIs(t, expectClosedAfterConnected(t, s).Err, netasync.ErrOverloaded)
		victims++
	}
	require.GreaterOrEqual(t, victims, peers-budget/(size-100_000))
	require.Equal(t, netasync.StateConnected, honest.State())
}

// meet connects a session to a listener of the same engine.
func meet(t *testing.T, e *netasync.Engine, ln *netasync.Listener) (dialed, accepted *netasync.Session) {
	t.Helper()
	dialed = connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	expect(t, dialed, netasync.Connected)
	return dialed, testkit.Take(t, ln.AcceptChan())
}

func expectClosedAfterConnected(t *testing.T, s *netasync.Session) netasync.Event {
	t.Helper()
	expect(t, s, netasync.Connected)
	return expect(t, s, netasync.Closed)
}

// A peer that announces a large message and sends a byte now and then ends, over a real connection,
// of a listener and of a dialed session.
func TestDribblerOverASocket(t *testing.T) {
	e := newEngine(t)
	dribble := func(conn net.Conn) {
		_, _ = conn.Write([]byte{0, 16, 0, 0})
		for {
			if _, err := conn.Write([]byte{1}); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	const period, timeout = 100 * time.Millisecond, time.Second
	ln := listen(t, e, netasync.ListenOptions{HeartbeatPeriod: period, HeartbeatTimeout: timeout})
	go dribble(testkit.Dial(t, ln.Addr()))
	require.ErrorIs(t, expectClosedAfterConnected(t, testkit.Take(t, ln.AcceptChan())).Err, netasync.ErrSlowFrame)

	raw := testkit.Listen(t)
	c := connect(t, e, raw.Addr(), netasync.ConnectOptions{HeartbeatPeriod: period, HeartbeatTimeout: timeout})
	go dribble(testkit.Accept(t, raw))
	expect(t, c, netasync.Connected)
	require.ErrorIs(t, expect(t, c, netasync.Disconnected).Err, netasync.ErrSlowFrame)
}
