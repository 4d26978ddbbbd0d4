package session

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/internal/testkit"
)

// The peer takes over while an Inline callback waits in Send, on a link's own goroutine: the count that
// Claim tells has the message of that callback in it and none behind, nobody waits for ever, and each
// message has one callback.
func TestTakeOverOfABlockedCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		k := newTalk(t, false, func(c *Config) {
			c.Inline, c.WriteBuffer = true, Buffer{Cap: 1}
			c.OnEvent = func(s *Session, ev Event) {
				if ev.Kind != Message {
					return
				}
				got = append(got, string(ev.Payload))
				for range 3 {
					require.NoError(t, s.Send(t.Context(), ev.Payload))
				}
			}
		})
		k.connectBy(newFakeLink(0), false, 0) // takes nothing
		k.c.Start(false)
		fed := make(chan error)
		old := k.c
		go func() {
			_, _, err := old.Feed(testkit.Frames("1", "2", "3"), false)
			fed <- err
		}()
		synctest.Wait()
		require.Equal(t, []string{"1"}, got)
		require.EqualValues(t, 1, k.connect(true, 0), "the one whose callback has begun")
		k.c.Start(false)
		require.NoError(t, <-fed)
		require.Equal(t, []string{"1"}, got, "of the connection that is over no further one")
		require.NoError(t, k.says(testkit.Frames("2", "3")))
		require.Equal(t, []string{"1", "2", "3"}, got)
		require.Equal(t, []string{"1", "1", "1", "2", "2", "2", "3", "3", "3"}, withoutControl(k.hears()))
		accountsAddUp(t, k.s)
		k.s.CloseNow(nil)
	})
}

// On an event loop a turn has the right to write, and ends: Claim waits for that.
func TestTakeOverOfATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		may := make(chan bool)
		got := 0
		k := newTalk(t, false, func(c *Config) {
			c.Inline = true
			c.OnEvent = func(s *Session, ev Event) {
				if ev.Kind == Message {
					got++
					require.NoError(t, s.Send(t.Context(), ev.Payload))
					<-may
				}
			}
		})
		k.connect(false, 0)
		k.c.Start(true)
		old := k.c
		go func() { _, _, _ = old.Feed(testkit.Frames("1", "2", "3"), true) }()
		synctest.Wait()
		claimed := make(chan uint64)
		go func() {
			ours, err := Drive(k.s).Claim(t.Context(), 2, 0, k.keep)
			if err != nil {
				t.Error(err)
			}
			claimed <- ours
		}()
		synctest.Wait()
		select {
		case <-claimed:
			t.Fatal("the turn has the right to write")
		default:
		}
		may <- true
		require.EqualValues(t, 1, <-claimed)
		k.attach(newFakeLink(unbounded), 2)
		require.Equal(t, []string{"1"}, k.hears())
		require.Equal(t, 1, got)
		k.s.CloseNow(nil)
	})
}

// A callback that does next to nothing, a million times, while the peer takes over all the time: it
// knows from the count alone what to send on each connection.
func TestTakeOversOfAFastCallback(t *testing.T) {
	const total = 1_000_000
	var next atomic.Uint32
	keep := resume.Keep{Messages: 100, Bytes: 1000}
	s, _ := newFake(t, true, func(c *Config) {
		c.Inline, c.Resume, c.Unacked = true, true, Buffer{Cap: 100, Bytes: 1000}
		c.HeartbeatPeriod, c.HeartbeatTimeout = time.Minute, 4*time.Minute
		c.OnEvent = func(_ *Session, ev Event) {
			if ev.Kind != Message {
				return
			}
			if n := binary.BigEndian.Uint32(ev.Payload); n != next.Load() {
				t.Errorf("message %d, want %d", n, next.Load())
			}
			next.Add(1)
		}
	})
	s.dial = window{}
	d := Drive(s)
	d.Resumable(1, keep)
	connections := uint64(1)
	for at := uint64(0); at < total; connections++ {
		c := d.Attach(newFakeLink(unbounded), connections)
		var over atomic.Bool
		ended := make(chan bool)
		go func(at uint64) {
			brings(c, at, total, connections%2 == 0, &over)
			close(ended)
		}(at)
		for range connections % 23 { // any moment will do
			runtime.Gosched()
		}
		var err error
		at, err = d.Claim(t.Context(), connections+1, 0, keep)
		require.NoError(t, err)
		over.Store(true)
		<-ended
	}
	testkit.Eventually(t, func() bool { return next.Load() >= total }, "all messages")
	require.EqualValues(t, total, next.Load())
	t.Log(connections, "connections")
	s.CloseNow(nil)
}

// brings feeds a connection with the numbers from one to another, until it is over.
func brings(c *Conn, at, to uint64, onLoop bool, over *atomic.Bool) {
	c.Start(onLoop)
	for at < to && !over.Load() {
		var p []byte
		for range min(500, to-at) {
			p = binary.BigEndian.AppendUint32(append(p, 0, 0, 0, 4), uint32(at))
			at++
		}
		for len(p) > 0 {
			rest, leave, _ := c.Feed(p, onLoop)
			if onLoop = onLoop && !leave; !onLoop && len(rest) > 0 {
				c.Wait()
			}
			p = rest
		}
	}
}

// While a callback blocks on a link's own goroutine, what it was called for is acknowledged in time, and
// so is what comes after it in the same read.
func TestAckInTimeWhileACallbackBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		may := make(chan bool)
		k := connected(t, false, func(c *Config) {
			rare(c)
			c.Inline = true
			c.OnEvent = func(_ *Session, ev Event) {
				if ev.Kind == Message {
					<-may
				}
			}
		})
		k.c.Start(false)
		go func() { _, _, _ = k.c.Feed(messages(3), false) }()
		for n := range 3 {
			time.Sleep(ackDelay)
			require.Equal(t, []string{fmt.Sprint("A ", n+1)}, k.hears())
			time.Sleep(time.Duration(n) * time.Second)
			require.Empty(t, k.hears())
			may <- true
		}
		k.s.CloseNow(nil)
	})
}

// A callback on a link's own goroutine waits for room, and others with it, when the window becomes full: the
// others use up the wake-ups, and it goes on all the same.
func TestWindowIsFullWhileACallbackWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		called := false
		k := newTalk(t, false, func(c *Config) {
			c.Inline, c.WriteBuffer, c.Unacked = true, Buffer{Cap: 1}, Buffer{Cap: 2}
			c.OnEvent = func(s *Session, ev Event) {
				if ev.Kind == Message {
					called = s.Send(t.Context(), []byte("answer")) == nil
				}
			}
		})
		k.connectBy(newFakeLink(0), false, 0)
		k.c.Start(false)
		k.sends("1", "2") // one is being written, and one fills the buffer
		for range 8 {
			go func() { _ = k.s.Send(t.Context(), []byte("other")) }()
		}
		synctest.Wait()
		go func() { _ = k.says(frame("m")) }()
		synctest.Wait()
		k.link.allow(unbounded)
		require.Equal(t, []string{"1", "2"}, withoutControl(k.hears()))
		require.True(t, called)
		k.s.CloseNow(nil)
	})
}
