package session

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/testkit"
)

// paced returns an accepted session with a timeout of 4 s, which wants 240 bytes a second.
func paced(t *testing.T, change func(*Config)) (*Session, *Conn, *fakeLink) {
	t.Helper()
	s, _ := newFake(t, false, func(c *Config) {
		c.MinRate = 240
		if change != nil {
			change(c)
		}
	})
	link := newFakeLink(unbounded)
	c := s.attach(link, 0)
	c.Start(false)
	return s, c, link
}

// drip feeds bytes by chunks, one each interval, while the session lives, and returns what is left.
func drip(t *testing.T, s *Session, c *Conn, p []byte, chunk int, interval time.Duration) []byte {
	t.Helper()
	for len(p) > 0 && s.State() != StateClosed {
		n := min(chunk, len(p))
		rest, _, err := c.Feed(p[:n], false)
		require.NoError(t, err)
		require.Zero(t, len(rest))
		p = p[n:]
		time.Sleep(interval)
	}
	return p
}

// whyClosed ends a connection, and returns why its session was closed.
func whyClosed(t *testing.T, s *Session, c *Conn) error {
	t.Helper()
	c.End(io.EOF)
	for {
		if ev := recv(t, s); ev.Kind == Closed {
			return ev.Err
		}
	}
}

// A peer that has begun a frame and sends a byte now and then is alive, and is cut all the same: it
// would keep its place and our memory for ever.
func TestDribblersAreCut(t *testing.T) {
	large := codec.Format{}.AppendFrame(nil, make([]byte, codec.DefaultMaxPayload))
	for name, c := range map[string]struct {
		format   codec.Format
		wire     []byte
		chunk    int
		interval time.Duration
		within   time.Duration
	}{
		"a large frame":               {wire: large, chunk: 1, interval: time.Second, within: 6 * time.Second},
		"at half the rate":            {wire: large, chunk: 120, interval: time.Second, within: 10 * time.Second},
		"bursts":                      {wire: large, chunk: 960, interval: 5 * time.Second, within: 40 * time.Second},
		"a small frame":               {wire: testkit.Frames("twelve bytes"), chunk: 1, interval: time.Second, within: 6 * time.Second},
		"a frame of one byte's width": {format: codec.Format{Width: 1}, wire: append([]byte{200}, make([]byte, 200)...), chunk: 1, interval: time.Second, within: 6 * time.Second},
		"half a header": {format: codec.Format{Varint: true}, wire: []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80},
			chunk: 1, interval: time.Second, within: 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, conn, _ := paced(t, func(cfg *Config) {
					cfg.Format = c.format
					if name == "bursts" { // the silence between is not what ends it
						cfg.HeartbeatPeriod, cfg.HeartbeatTimeout = 2*time.Second, 8*time.Second
					}
				})
				begun := time.Now()
				drip(t, s, conn, c.wire, c.chunk, c.interval)
				require.Equal(t, StateClosed, s.State())
				require.LessOrEqual(t, time.Since(begun), c.within)
				require.GreaterOrEqual(t, time.Since(begun), s.cfg.HeartbeatTimeout)
				require.ErrorIs(t, whyClosed(t, s, conn), ErrSlowFrame)
			})
		})
	}
}

// With Inline off the loop every read ends a time in which we did not read: that gives a dribbler
// no more time.
func TestDribblerIsCutInline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var why error
		s, conn, _ := paced(t, func(c *Config) {
			c.Inline, c.OnEvent = true, func(_ *Session, ev Event) { why = ev.Err }
		})
		drip(t, s, conn, testkit.Frames(make([]byte, 10_000)), 1, time.Second)
		conn.End(io.EOF)
		synctest.Wait()
		require.ErrorIs(t, why, ErrSlowFrame)
	})
}

// A large message over a slow line passes, and so does one at the very rate; what was quick before
// gives no credit, and needs none.
func TestSlowButHonestFramesPass(t *testing.T) {
	for name, c := range map[string]struct {
		size, chunk int
		interval    time.Duration
	}{
		"10 KB a second": {400_000, 1000, 100 * time.Millisecond},
		"the very rate":  {24_000, 240, time.Second},
		"bursts":         {20_000, 960, 3900 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, conn, _ := paced(t, nil)
				for range 2 {
					left := drip(t, s, conn, testkit.Frames(make([]byte, c.size)), c.chunk, c.interval)
					require.Zero(t, len(left))
				}
				require.Equal(t, StateConnected, s.State())
				s.CloseNow(errCut)
			})
		})
	}
}

// MinRate can be turned off: then any byte is enough.
func TestMinRateOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, conn, _ := paced(t, func(c *Config) { c.MinRate = 0 })
		drip(t, s, conn, testkit.Frames(make([]byte, 1000)), 1, 3*time.Second)
		require.Equal(t, StateConnected, s.State())
		s.CloseNow(errCut)
	})
}

// While our callback blocks the reader, the frame behind its message does not come on, and that is
// ours.
func TestFrameIsNotSlowWhileWeDoNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, conn, _ := paced(t, func(c *Config) {
			c.Inline, c.OnEvent = true, func(_ *Session, ev Event) {
				if ev.Kind == Message {
					time.Sleep(time.Minute)
				}
			}
		})
		wire := testkit.Frames("blocks", "the next")
		_, _, err := conn.Feed(wire[:15], false) // no pulse
		require.NoError(t, err)
		time.Sleep(3900 * time.Millisecond)
		require.Equal(t, StateConnected, s.State())
		_, _, err = conn.Feed(wire[15:17], false)
		require.NoError(t, err)
		time.Sleep(1500 * time.Millisecond)
		require.Equal(t, StateClosed, s.State(), "time in which we read counts")
		conn.End(io.EOF)
	})
}

// What waits in the socket, because an event loop is too busy, is not held against the peer.
func TestUnreadBytesAreNotSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, conn, link := paced(t, nil)
		link.beat(Pulse{Unread: true})
		_, _, err := conn.Feed([]byte{0, 0, 1}, true)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.Equal(t, StateConnected, s.State())
		link.beat(Pulse{})
		time.Sleep(2 * time.Second)
		require.Equal(t, StateClosed, s.State())
		require.ErrorIs(t, whyClosed(t, s, conn), ErrSlowFrame)
	})
}

// Both ends were suspended within a frame: it gets its time anew, once.
func TestSuspendedWithinAFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, conn, _ := paced(t, func(c *Config) { c.Host = handHost{} })
		wire := testkit.Frames("message")
		_, _, err := conn.Feed(wire[:6], false)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		conn.Tick()
		require.Equal(t, StateConnected, s.State())
		for _, b := range wire[6:9] {
			time.Sleep(time.Second)
			_, _, err = conn.Feed([]byte{b}, false)
			require.NoError(t, err)
			conn.Tick()
			require.Equal(t, StateConnected, s.State())
		}
		_, _, err = conn.Feed(wire[9:], false)
		require.NoError(t, err)
		require.Equal(t, Connected, recv(t, s).Kind)
		require.Equal(t, "message", string(recv(t, s).Payload))
		s.CloseNow(errCut)
	})
}

// A session that says goodbye throws away what still comes: a frame that will never be complete is
// not what ends it.
func TestGoodbyeOutlastsASlowFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) { c.MinRate, c.Linger = 240, time.Minute })
		link := &finishingLink{newFakeLink(unbounded), make(chan struct{})}
		conn := s.attach(link, 0)
		wire := testkit.Frames(make([]byte, 1000))
		_, _, err := conn.Feed(wire[:10], false)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		for _, b := range wire[10:30] {
			time.Sleep(time.Second)
			_, _, err = conn.Feed([]byte{b}, false)
			require.NoError(t, err)
		}
		close(link.finished)
		require.NoError(t, whyClosed(t, s, conn))
	})
}

// finishingLink has a peer that takes its time to end.
type finishingLink struct {
	*fakeLink
	finished chan struct{}
}

func (l *finishingLink) Finish(time.Time) { <-l.finished }
