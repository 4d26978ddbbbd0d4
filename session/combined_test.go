package session

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// What one rule does where another is at work.

// A peer that was not heard is not held to take what waits: nothing is written to it.
func TestWriteTimeoutDoesNotCountDuringATrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer := newFake(t, true, func(c *Config) { c.AwaitPeer, c.WriteTimeout = true, time.Second })
		s.dialing()
		require.NoError(t, s.Send(t.Context(), []byte("m")))
		link := newFakeLink(unbounded)
		s.attach(link, 0)
		begin := time.Now()
		require.False(t, <-dialer.redials)
		require.Equal(t, 4*time.Second, time.Since(begin))
		require.Empty(t, link.written())
		require.ErrorIs(t, s.Stats().LastError, ErrHeartbeatTimeout)
		require.ErrorIs(t, recv(t, s).Err, ErrHeartbeatTimeout)
		s.CloseNow(errCut)
	})
}

// What waits because a callback has the right to write is not held against the peer.
func TestWriteTimeoutDoesNotCountDuringATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) {
			c.Inline, c.WriteTimeout, c.HeartbeatTimeout = true, time.Second, time.Hour
			c.OnEvent = func(s *Session, ev Event) {
				if ev.Kind == Message {
					_ = s.Send(context.Background(), []byte("answer"))
					time.Sleep(time.Minute)
				}
			}
		})
		link := newFakeLink(unbounded)
		c := s.attach(link, 0)
		c.Start(true)
		_, _, err := c.Feed(testkit.Frames("question"), true)
		require.NoError(t, err)
		require.Equal(t, StateConnected, s.State())
		s.CloseNow(errCut)
		synctest.Wait()
	})
}

// What waits for the next connection is not held against a peer that takes no more: what it said
// before is still read.
func TestWriteTimeoutDoesNotCountOnABrokenConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, texts := blocking(t, func(s *Session) {
			_ = s.Send(context.Background(), []byte("answer"))
			time.Sleep(time.Minute)
		})
		s.cfg.WriteTimeout = 2 * time.Second
		link := newFakeLink(0)
		conn := s.attach(link, 0)
		conn.Start(false)
		go func() {
			for _, text := range []string{"stop", "a", "b"} {
				_, _, err := conn.Feed(testkit.Frames(text), false)
				require.NoError(t, err)
			}
			conn.End(io.EOF)
		}()
		synctest.Wait()
		link.Close()
		link.hold(Backlog{Bytes: 9})
		for _, want := range []string{"connected", "a", "b", "disconnected"} {
			require.Equal(t, want, <-texts)
		}
		s.CloseNow(errCut)
		require.Equal(t, "closed", <-texts)
	})
}

// A callback on a link's goroutine that waits for another goroutine, which waits for room: a broken
// connection will make none, and ends all the same.
func TestCallbackThatWaitsForAnotherSenderOnABrokenConnection(t *testing.T) {
	for name, send := range map[string]func(*Session){
		"Send":      func(s *Session) { _ = s.Send(context.Background(), []byte("answer")) },
		"WriteChan": func(s *Session) { s.WriteChan() <- []byte("answer") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, texts := blocking(t, func(s *Session) {
					sent := make(chan struct{})
					go func() {
						for range 2*maxSlots + 10 {
							send(s)
						}
						close(sent)
					}()
					<-sent
				})
				s.dial, s.hope = nil, false // an accepted session
				link := newFakeLink(0)
				conn := s.attach(link, 0)
				conn.Start(false)
				go func() {
					_, _, _ = conn.Feed(testkit.Frames("stop"), false)
					conn.End(io.EOF)
				}()
				synctest.Wait()
				link.Close()
				time.Sleep(time.Minute)
				synctest.Wait()
				require.Equal(t, StateClosed, s.State())
				require.Equal(t, "connected", <-texts)
				require.Equal(t, "closed", <-texts)
			})
		})
	}
}

// lockedLink looks whether its session is locked when it is called.
type lockedLink struct {
	*fakeLink
	s      *Session
	locked bool
}

func (l *lockedLink) Addrs() (local, remote net.Addr) {
	if l.s.mu.TryLock() {
		l.s.mu.Unlock()
	} else {
		l.locked = true
	}
	return l.fakeLink.Addrs()
}

// A link is called without a lock.
func TestLinksAreCalledWithoutALock(t *testing.T) {
	for _, await := range []bool{false, true} {
		s, _ := newFake(t, true, func(c *Config) { c.AwaitPeer = await })
		s.dialing()
		link := &lockedLink{newFakeLink(unbounded), s, false}
		c := s.attach(link, 0)
		_, _, err := c.Feed(testkit.Frames("m"), false)
		require.NoError(t, err)
		require.Equal(t, StateConnected, s.State())
		require.False(t, link.locked)
		s.CloseNow(errCut)
	}
}
