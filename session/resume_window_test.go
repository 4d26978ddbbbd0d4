package session

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// So much is taken from a user whose peer acknowledges nothing: what Unacked and WriteBuffer hold.
func TestWindowHoldsExactly(t *testing.T) {
	for name, test := range map[string]struct {
		unacked, buffer Buffer
		size, want      int
	}{
		"messages":         {Buffer{Cap: 5}, Buffer{Cap: 3}, 10, 8},
		"one":              {Buffer{Cap: 1}, Buffer{Cap: 1}, 10, 2},
		"bytes":            {Buffer{Bytes: 100}, Buffer{Bytes: 50}, 30, 4 + 2},
		"bytes, reached":   {Buffer{Bytes: 90}, Buffer{Bytes: 60}, 30, 3 + 2},
		"one byte":         {Buffer{Bytes: 1}, Buffer{Bytes: 1}, 30, 2},
		"large":            {Buffer{Bytes: 3 * copyLimit}, Buffer{Bytes: copyLimit}, 2 * copyLimit, 2 + 1},
		"bytes before cap": {Buffer{Cap: 4, Bytes: 60}, Buffer{Cap: 9, Bytes: 1000}, 30, 2 + 9},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := connected(t, true, func(c *Config) { c.Unacked, c.WriteBuffer = test.unacked, test.buffer })
				m := strings.Repeat("m", test.size)
				for range test.want {
					k.sends(m)
				}
				require.ErrorIs(t, k.s.TrySend([]byte(m)), ErrQueueFull)
				st := accountsAddUp(t, k.s)
				require.EqualValues(t, test.want, st.Unacked+st.Queued)
				require.Len(t, k.hears(), st.Unacked)
				k.end()
			})
		})
	}
}

// A window that is full lets a user wait, and goes on as soon as the peer acknowledges anything.
func TestFullWindowGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, func(c *Config) { c.Unacked, c.WriteBuffer = Buffer{Cap: 2}, Buffer{Cap: 1} })
		began := time.Now()
		k.sends("1", "2", "3")
		sent := make(chan error)
		go func() { sent <- k.s.Send(t.Context(), []byte("4")) }()
		require.Equal(t, []string{"1", "2"}, k.hears())
		require.NoError(t, k.says(ackOf(1)))
		require.Equal(t, []string{"3"}, k.hears())
		require.NoError(t, <-sent)
		require.NoError(t, k.says(ackOf(3)))
		require.Equal(t, []string{"4"}, k.hears())
		require.Zero(t, time.Since(began))
		k.end()
	})
}

// A peer that says anything but acknowledgements while the window is full is given up after
// HeartbeatTimeout, not before, and the session goes on.
func TestPeerThatNeverAcknowledges(t *testing.T) {
	for _, dialed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			k := connected(t, dialed, func(c *Config) { c.Unacked, c.WriteBuffer = Buffer{Cap: 2}, Buffer{Cap: 1} })
			require.Equal(t, Connected, recv(t, k.s).Kind)
			k.sends("1", "2", "3")
			over, cancel := context.WithTimeout(t.Context(), 3900*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, k.s.Send(over, []byte("4")), context.DeadlineExceeded)
			require.Equal(t, StateConnected, k.s.State())
			for began := time.Now(); k.s.State() == StateConnected; time.Sleep(100 * time.Millisecond) {
				require.NoError(t, k.says(frame("I live")))
				require.Less(t, time.Since(began), 2*time.Second)
			}
			ev := k.next()
			require.Equal(t, Disconnected, ev.Kind)
			require.ErrorIs(t, ev.Err, ErrHeartbeatTimeout)
			require.Equal(t, 3, ev.Queued)
			k.connect(true, 1)
			require.True(t, k.next().Resumed)
			require.Equal(t, []string{"2", "3"}, withoutControl(k.hears()))
			accountsAddUp(t, k.s)
			k.end()
		})
	}
}

// A peer that is slow, and says so by its heartbeats, has all the time it needs; so has one whose
// window is not full, or that has nothing to wait for.
func TestPeerThatAcknowledgesSlowly(t *testing.T) {
	for name, test := range map[string]struct {
		send int
		said []byte
	}{
		"full, acknowledged anew":   {3, ackOf(1)},
		"full, and nothing waits":   {2, frame("I live")},
		"not full, never confirmed": {1, frame("I live")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := connected(t, true, func(c *Config) { c.Unacked, c.WriteBuffer = Buffer{Cap: 2}, Buffer{Cap: 2} })
				for _, m := range testkit.Texts(test.send) {
					k.sends(m)
				}
				k.hears()
				if test.send > 2 {
					require.NoError(t, k.says(ackOf(1)))
					k.sends("x", "y")
				}
				for range 100 {
					time.Sleep(time.Second)
					require.NoError(t, k.says(test.said))
					require.Equal(t, StateConnected, k.s.State())
				}
				k.end()
			})
		})
	}
}

// The process was stopped for longer than HeartbeatTimeout, with a full window: the peer gets the time
// to be heard.
func TestLateTickForgivesWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, func(c *Config) {
			c.Unacked, c.WriteBuffer, c.Host = Buffer{Cap: 1}, Buffer{Cap: 1}, &steppedHost{}
		})
		k.sends("1", "2")
		k.hears()
		time.Sleep(time.Minute) // no ticks
		require.NoError(t, k.says(frame("I live")))
		require.False(t, k.c.Tick().IsZero(), "ended at once")
		require.NoError(t, k.says(ackOf(0)))
		time.Sleep(time.Second)
		require.False(t, k.c.Tick().IsZero())
		require.Equal(t, StateConnected, k.s.State())
		k.end()
	})
}

// A peer that is about to send a large message cannot acknowledge anything before its end.
func TestPeerWithinALargeMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, func(c *Config) { c.Unacked, c.WriteBuffer = Buffer{Cap: 1}, Buffer{Cap: 1} })
		k.sends("1", "2")
		k.hears()
		large := frame(strings.Repeat("L", 100_000))
		for len(large) > 0 {
			n := min(len(large), 5_000)
			require.NoError(t, k.says(large[:n]))
			large = large[n:]
			time.Sleep(time.Second)
			require.Equal(t, StateConnected, k.s.State())
		}
		require.NoError(t, k.says(ackOf(1)))
		require.Equal(t, "2", lastOf(k.hears()))
		k.end()
	})
}

// What was written and acknowledged is not held any longer.
func TestWrittenMessagesAreLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, nil)
		k.sends(strings.Repeat("L", copyLimit+1))
		k.hears()
		require.NoError(t, k.says(ackOf(1)))
		require.Nil(t, k.s.out.kept.control.spoken)
		segments := spokens.Get().(*spoken).segments // most likely what was used
		for _, b := range segments[:cap(segments)] {
			require.Nil(t, b)
		}
		k.end()
	})
}

// A reader is held before the window is full, and the user neither reads nor waits in Send: what is behind
// the window is sent all the same.
func TestWindowIsFullWhileTheReaderIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, func(c *Config) {
			c.ReadBuffer, c.Unacked = Buffer{Cap: 1}, Buffer{Cap: 2}
		})
		go func() {
			for p := append(testkit.Frames("a", "b", "c", "d"), ackOf(2)...); len(p) > 0; k.c.Wait() {
				p, _, _ = k.c.Feed(p, false)
			}
		}()
		synctest.Wait()
		_, err := k.s.SendBatch(t.Context(), [][]byte{[]byte("1"), []byte("2"), []byte("3"), []byte("4")})
		require.NoError(t, err)
		require.Equal(t, []string{"1", "2", "3", "4"}, withoutControl(k.hears()))
		k.end()
	})
}

// A callback that waits for room which nobody but its own reader can make passes the write buffer, and by no
// more than drainBytes, whichever of the two bounds of the buffer is reached.
func TestCallbackPassesTheWindowWithinABound(t *testing.T) {
	for _, buffer := range []Buffer{{Cap: 1}, {Cap: 1 << 20, Bytes: 64 << 10}} {
		synctest.Test(t, func(t *testing.T) {
			sent := 0
			k := connected(t, false, func(c *Config) {
				c.Inline, c.Unacked, c.WriteBuffer = true, Buffer{Cap: 1}, buffer
				c.OnEvent = func(s *Session, ev Event) {
					ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
					defer cancel()
					for ev.Kind == Message && s.Send(ctx, make([]byte, 64<<10)) == nil {
						sent += 64 << 10
					}
				}
			})
			k.c.Start(false)
			require.NoError(t, k.says(frame("m")))
			require.Greater(t, sent, drainBytes/2)
			require.Less(t, sent, drainBytes+k.s.cfg.WriteBuffer.Bytes+1<<20)
			k.s.CloseNow(nil)
		})
	}
}

// A callback waits for another goroutine, which waits for room behind a full window: what makes room is behind
// the callback. The connection ends by HeartbeatTimeout, and the next one tells what the peer has.
func TestWindowIsFullWhileACallbackWaitsForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs := make(chan bool)
		k := connected(t, true, func(c *Config) {
			c.Inline, c.WriteBuffer, c.Unacked = true, Buffer{Cap: 1}, Buffer{Cap: 1}
			c.OnEvent = func(_ *Session, ev Event) {
				if ev.Kind == Message {
					jobs <- true
				}
			}
		})
		k.c.Start(false)
		go func() {
			for range 2 {
				<-jobs
				for _, m := range []string{"1", "2", "3"} {
					_ = k.s.Send(t.Context(), []byte(m))
				}
			}
		}()
		go func() { _ = k.says(messages(2), ackOf(1)) }()
		time.Sleep(3 * time.Second)
		require.Equal(t, StateConnected, k.s.State())
		time.Sleep(2 * time.Second)
		require.Equal(t, StateDisconnected, k.s.State())
		require.ErrorIs(t, k.s.Stats().LastError, ErrHeartbeatTimeout)
		require.Equal(t, []string{"1"}, withoutControl(k.hears()))
		k.connect(true, 1)
		require.Equal(t, []string{"2"}, withoutControl(k.hears()))
		require.NoError(t, k.says(ackOf(2)))
		require.Equal(t, []string{"3"}, withoutControl(k.hears()))
		k.s.CloseNow(nil)
	})
}
