package backpressure

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// serve starts a server on the host "server", and returns what makes a client of it and its other end.
func serve(t *testing.T, lo netasync.ListenOptions) (engine *netasync.Engine, pair func() (client, server *netasync.Session)) {
	t.Helper()
	n := netasynctest.NewNetwork(t)
	listener, err := n.Engine("server", netasync.EngineOptions{}).Listen(":8899", lo)
	require.NoError(t, err)
	engine = n.Engine("client", netasync.EngineOptions{})
	return engine, func() (*netasync.Session, *netasync.Session) {
		s, err := engine.Connect("server:8899", netasync.ConnectOptions{})
		require.NoError(t, err)
		return s, <-listener.AcceptChan()
	}
}

// fill sends until there is no room, and returns how many there was room for.
func fill(t *testing.T, s *netasync.Session, size int) (n int) {
	t.Helper()
	for ; ; n++ {
		if err := s.TrySend(make([]byte, size)); err != nil {
			require.ErrorIs(t, err, netasync.ErrQueueFull)
			return n
		}
		synctest.Wait()
	}
}

// What nobody reads is bounded at both ends, and who takes nothing for a minute is cut off.
func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pair := serve(t, bounded())
		client, server := pair()
		require.NoError(t, client.WaitConnected(t.Context()))
		fill(t, client, 1000)
		require.Less(t, server.Stats().UnreadBytes, 32<<10+1000) // one message may pass the bound
		require.Greater(t, server.Stats().UnreadBytes, 30<<10)
		fill(t, server, 1000)
		require.Less(t, server.Stats().QueuedBytes, 64<<10+1000)
		time.Sleep(2 * time.Minute) // of the bubble's clock
		require.ErrorIs(t, server.Stats().LastError, netasync.ErrWriteTimeout)
	})
}

func TestSliding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		listener, err := n.Engine("server", netasync.EngineOptions{}).Listen(":8899", netasync.ListenOptions{})
		require.NoError(t, err)
		s, err := positions(n.Engine("client", netasync.EngineOptions{}), "server:8899")
		require.NoError(t, err)
		peer := <-listener.AcceptChan()
		for i := range 1000 {
			require.NoError(t, peer.Send(t.Context(), fmt.Appendf(nil, "%d", i)))
		}
		require.NoError(t, peer.Flush(t.Context()))
		synctest.Wait()
		netasynctest.Expect(t, s, netasynctest.IsConnected, netasynctest.IsMessage("999"))
		require.EqualValues(t, 999, s.Stats().DroppedInbound)
	})
}

func TestPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pair := serve(t, netasync.ListenOptions{})
		client, _ := pair()
		refused, before := 0, overloaded.Load()
		pass(client, []byte("a"), func() { refused++ })
		require.Zero(t, refused)
		fill(t, client, 100_000)
		pass(client, make([]byte, 100_000), func() { refused++ })
		require.EqualValues(t, 1, overloaded.Load()-before)
		client.CloseNow(nil)
		pass(client, []byte("a"), func() { refused++ })
		require.Equal(t, 2, refused)
		require.EqualValues(t, 1, overloaded.Load()-before)
	})
}

func TestSlowest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, pair := serve(t, netasync.ListenOptions{})
		fast, _ := pair()
		slow, _ := pair()
		fill(t, slow, 100_000)
		require.Equal(t, []*netasync.Session{slow, fast}, slowest(engine, 5))
		require.Equal(t, []*netasync.Session{slow}, slowest(engine, 1))
	})
}

// A member that does not read is told of once, and has the latest in the end; the other one has all.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pair := serve(t, netasync.ListenOptions{})
		var told []*netasync.Session
		room := newRoom(func(s *netasync.Session) { told = append(told, s) })
		reading, a := pair()
		sleeping, b := pair()
		room.Add(a)
		room.Add(b)
		last := func(s *netasync.Session) (last string) {
			for _, ev := range netasynctest.Drain(t, s) {
				last = string(ev.Payload)
			}
			return last
		}
		for i := range 1000 {
			room.Send(fmt.Appendf(make([]byte, 9000), "%d", i))
			synctest.Wait()
			require.Equal(t, fmt.Sprint(i), last(reading)[9000:])
		}
		require.Equal(t, []*netasync.Session{b}, told)
		require.Equal(t, "999", last(sleeping)[9000:])
		require.Positive(t, b.Stats().Dropped)
	})
}
