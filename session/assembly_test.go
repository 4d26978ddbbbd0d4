package session

import (
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/testkit"
)

// crowd is connections that share the memory for unfinished frames.
type crowd struct {
	t        *testing.T
	assembly *Assembly
	members  []*Conn
}

func newCrowd(t *testing.T, limit int) *crowd {
	return &crowd{t: t, assembly: NewAssembly(limit, func(f func()) { go f() })}
}

// join adds a connection of an accepted session that begins a frame of so many bytes.
func (c *crowd) join(length int) *Conn {
	c.t.Helper()
	s, _ := newFake(c.t, false, func(cfg *Config) {
		cfg.MinRate, cfg.Assembly, cfg.MaxPayload = 240, c.assembly, 64<<20
		cfg.HeartbeatTimeout = time.Hour // so that it is the memory alone that ends connections
		cfg.ReadBuffer = Buffer{Cap: 1000, Bytes: unbounded}
	})
	conn := s.attach(newFakeLink(unbounded), 0)
	c.members = append(c.members, conn)
	c.feed(conn, codec.Format{}.AppendHeader(nil, length))
	return conn
}

// bring brings so many bytes of the frame, as far as the session lives, by reads of 50 KB.
func (c *crowd) bring(conn *Conn, bytes int) {
	c.t.Helper()
	for p := make([]byte, bytes); len(p) > 0 && conn.s.State() == StateConnected; {
		n := min(len(p), 50_000)
		c.feed(conn, p[:n])
		p = p[n:]
		c.settle()
	}
}

func (c *crowd) feed(conn *Conn, p []byte) {
	c.t.Helper()
	rest, _, err := conn.Feed(p, true)
	require.NoError(c.t, err)
	require.Zero(c.t, len(rest))
}

// settle lets the readers of connections that were ended see that, a millisecond later.
func (c *crowd) settle() {
	time.Sleep(time.Millisecond)
	synctest.Wait()
	for _, conn := range c.members {
		if conn.s.State() == StateClosed {
			conn.End(io.EOF)
		}
	}
}

// memory is what the decoders hold in truth.
func (c *crowd) memory() (held int) {
	for _, conn := range c.members {
		held += conn.dec.Held()
	}
	return held
}

// leave ends all connections, and returns those that were ended before for what they held. Nothing
// is left behind.
func (c *crowd) leave() (victims map[*Conn]bool) {
	c.t.Helper()
	victims = make(map[*Conn]bool)
	for _, conn := range c.members {
		conn.End(errCut)
		for ev := recv(c.t, conn.s); ; ev = recv(c.t, conn.s) {
			if ev.Kind == Closed {
				if victims[conn] = ev.Err == ErrOverloaded; !victims[conn] { //nolint:errorlint // the very error
					require.Equal(c.t, errCut, ev.Err)
				}
				break
			}
		}
	}
	require.Zero(c.t, c.assembly.held.Load())
	require.Zero(c.t, c.assembly.asked.Load())
	require.Empty(c.t, c.assembly.members)
	return victims
}

func count(victims map[*Conn]bool) (n int) {
	for _, is := range victims {
		if is {
			n++
		}
	}
	return n
}

// Peers that send most of a large message and stop: what they hold is bounded, and an honest
// peer's large messages pass meanwhile, over and over.
func TestPeersThatStopWithinAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 13 << 20
		c := newCrowd(t, limit)
		sizes := []int{4 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20}
		honest := c.join(sizes[0])
		for i := range 20 {
			c.bring(c.join(4<<20), 3_000_000)
			require.LessOrEqual(t, c.memory(), limit)
			c.bring(honest, sizes[i%5])
			c.feed(honest, codec.Format{}.AppendHeader(nil, sizes[(i+1)%5]))
			for ev := recv(t, honest.s); ev.Kind != Message; ev = recv(t, honest.s) {
				require.Equal(t, Connected, ev.Kind)
			}
		}
		victims := c.leave()
		require.False(t, victims[honest])
		require.Greater(t, count(victims), 14)
	})
}

// However many announce large messages, one that is nearly complete, and comes slowly, survives.
func TestNearlyCompleteFrameSurvivesAnnouncers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 16 << 20
		c := newCrowd(t, limit)
		honest := c.join(4 << 20)
		c.bring(honest, 4<<20-200_000)
		for range 200 {
			c.bring(c.join(64<<20), 100_000)
			require.LessOrEqual(t, c.memory(), limit)
			c.bring(honest, 1000)
		}
		require.EqualValues(t, 1, honest.s.Stats().Received)
		victims := c.leave()
		require.False(t, victims[honest])
		require.Greater(t, count(victims), 20)
	})
}

// Those that go on with a byte now and then are behind those that come.
func TestDribblersGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 10<<20)
		var dribblers []*Conn
		for range 4 {
			dribblers = append(dribblers, c.join(4<<20))
			c.bring(dribblers[len(dribblers)-1], 1_800_000)
		}
		for range 2000 {
			for _, d := range dribblers {
				c.bring(d, 1)
			}
		}
		honest := c.join(4 << 20)
		for range 500 { // 160 KB a second
			c.bring(honest, 8389)
			time.Sleep(50 * time.Millisecond)
			for _, d := range dribblers {
				c.bring(d, 1)
			}
		}
		require.EqualValues(t, 1, honest.s.Stats().Received)
		victims := c.leave()
		require.False(t, victims[honest])
		require.NotZero(t, count(victims))
	})
}

// A message that is larger than all of the memory can be received when it is the only one.
func TestLoneFrameMayPassTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 1)
		lone := c.join(8 << 20)
		c.bring(lone, 8<<20)
		require.EqualValues(t, 1, lone.s.Stats().Received)
		require.Zero(t, count(c.leave()))
	})
}

// Messages that come whole are not accounted for, and those of two reads only while they are under
// way.
func TestWholeMessagesAreNoMembers(t *testing.T) {
	c := newCrowd(t, 1<<20)
	conn := c.join(10)
	c.feed(conn, make([]byte, 10))
	for range 100 {
		c.feed(conn, testkit.Frames("small", string(make([]byte, 50_000))))
	}
	require.Empty(t, c.assembly.members)
	c.feed(conn, testkit.Frames(make([]byte, 50_000))[:10_000])
	require.EqualValues(t, conn.dec.Held(), c.assembly.held.Load())
	require.NotZero(t, c.assembly.held.Load())
	c.feed(conn, make([]byte, 40_004))
	require.Zero(t, c.assembly.held.Load())
	require.Zero(t, count(c.leave()))
}

// Many readers, and far too little memory: nothing is counted twice or forgotten, and no asking is.
func TestAssemblyUnderLoad(t *testing.T) {
	const limit = 1 << 20
	c := newCrowd(t, limit)
	var readers sync.WaitGroup
	for range 20 {
		conn := c.join(300_000)
		readers.Go(func() {
			for range 400 {
				if conn.s.State() == StateClosed {
					break
				}
				_, _, err := conn.Feed(make([]byte, rand.IntN(60_000)), false)
				if err != nil || rand.IntN(50) == 0 {
					break // of zeroes: they end a frame, and are heartbeats then
				}
				if c.assembly.held.Load() == 0 {
					_, _, _ = conn.Feed(codec.Format{}.AppendHeader(nil, 300_000), false)
				}
				runtime.Gosched()
			}
			conn.End(errCut)
		})
	}
	readers.Wait()
	testkit.Eventually(t, func() bool { return c.assembly.asked.Load() == 0 }, "it is done")
	c.leave()
}
